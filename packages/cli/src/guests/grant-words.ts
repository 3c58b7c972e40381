import type { Grant } from 'gossipgrid'
import { InvalidArgumentError } from 'commander'

/** Collects a grant that was typed as `MAP`, or `MAP:PREFIX` for keys that begin with a text. */
export function collectGrant(may: Grant['may']): (typed: string, before: readonly Grant[] | undefined) => Grant[] {
  return (typed, before = []) => {
    const at = typed.indexOf(':')
    const map = at < 0 ? typed : typed.slice(0, at)
    const prefix = at < 0 ? '' : typed.slice(at + 1)
    if (map === '') throw new InvalidArgumentError('It is the name of a map, or MAP:PREFIX.')
    return [...before, { map, ...(prefix === '' ? {} : { prefix }), may }]
  }
}

/** A grant as a line for people. */
export function grantText({ map, may, prefix }: Grant): string {
  const keys = prefix === undefined ? 'all keys' : `keys that begin with ${JSON.stringify(prefix)}`
  return `${may === 'write' ? 'read and write' : 'read'} ${map}: ${keys}`
}
