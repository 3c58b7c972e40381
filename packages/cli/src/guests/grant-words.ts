import type { DocGrant, Grant, MapGrant, TopicGrant } from 'gossipgrid'
import { InvalidArgumentError } from 'commander'

/** Collects a grant that was typed as `MAP`, or `MAP:PREFIX` for keys that begin with a text. */
export function collectGrant(may: MapGrant['may']): (typed: string, before: readonly Grant[] | undefined) => Grant[] {
  return (typed, before = []) => {
    const at = typed.indexOf(':')
    const map = at < 0 ? typed : typed.slice(0, at)
    const prefix = at < 0 ? '' : typed.slice(at + 1)
    if (map === '') throw new InvalidArgumentError('It is the name of a map, or MAP:PREFIX.')
    return [...before, { map, ...(prefix === '' ? {} : { prefix }), may }]
  }
}

/** Collects a grant of topics whose names begin with a text. */
export function collectTopics(
  may: TopicGrant['may'],
): (typed: string, before: readonly Grant[] | undefined) => Grant[] {
  return (typed, before = []) => [...before, { topic: typed, may }]
}

/** Collects a grant of documents whose names begin with a text. */
export function collectDocs(may: DocGrant['may']): (typed: string, before: readonly Grant[] | undefined) => Grant[] {
  return (typed, before = []) => [...before, { doc: typed, may }]
}

/** A grant as a line for people. */
export function grantText(grant: Grant): string {
  if ('presence' in grant) return 'see who is present, and be seen'
  if ('topic' in grant) {
    const what = grant.may === 'write' ? 'listen and publish to' : 'listen to'
    return `${what} topics whose names begin with ${JSON.stringify(grant.topic)}`
  }
  if ('doc' in grant) {
    const what = grant.may === 'write' ? 'read and edit' : 'read'
    return `${what} documents whose names begin with ${JSON.stringify(grant.doc)}`
  }
  const { map, may, prefix } = grant
  const keys = prefix === undefined ? 'all keys' : `keys that begin with ${JSON.stringify(prefix)}`
  return `${may === 'write' ? 'read and write' : 'read'} ${map}: ${keys}`
}
