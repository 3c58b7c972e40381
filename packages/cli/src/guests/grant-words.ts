import type { DocGrant, Grant, MapGrant, TopicGrant } from 'gossipgrid'
import { InvalidArgumentError } from 'commander'

/** Collects a grant that was typed as `NAME`, or `NAME:PREFIX` for keys that begin with a text. */
export function collectGrant(
  may: MapGrant['may'],
  what: 'map' | 'set' | 'counter' = 'map',
): (typed: string, before: readonly Grant[] | undefined) => Grant[] {
  return (typed, before = []) => {
    const at = typed.indexOf(':')
    const name = at < 0 ? typed : typed.slice(0, at)
    const prefix = at < 0 ? '' : typed.slice(at + 1)
    if (name === '') throw new InvalidArgumentError(`It is the name of a ${what}, or NAME:PREFIX.`)
    return [...before, { [what]: name, ...(prefix === '' ? {} : { prefix }), may } as Grant]
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
  const { may, prefix } = grant
  const name = 'map' in grant ? grant.map : 'set' in grant ? `the set ${grant.set}` : `the counter ${grant.counter}`
  const keys = prefix === undefined ? 'all keys' : `keys that begin with ${JSON.stringify(prefix)}`
  return `${may === 'write' ? 'read and write' : 'read'} ${name}: ${keys}`
}
