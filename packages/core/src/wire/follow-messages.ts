import { KEY_MAX_BYTES } from '../limits.ts'
import { FOLLOW_CURSOR_MAX_BYTES } from '../follow-limits.ts'
import type { Fields } from './fields.ts'

/** How peers follow the changes of partitions. */
export type FollowingMessage =
  /** Asks for what has changed in a partition. Answered when there is something, or after a while. */
  | {
      readonly type: 'follow'
      readonly request: number
      readonly collection: string
      readonly kind: number
      readonly partition: number
      /** The registration of the collection that the sender knows; left out if it knows none. */
      readonly origin?: string
      /** The cursor of the answer before, of any owner. Left out at the start. */
      readonly since?: Uint8Array
      /** At the start: the answer has all that is there. If left out, it is only a cursor of where the changes stand. */
      readonly initial?: true
      /** Answered at once, also if nothing has changed. */
      readonly atOnce?: true
      /** Only keys that begin with it. */
      readonly prefix: string
      /** Only the key that is equal to `prefix`. */
      readonly exact?: true
      /** By a peer that was asked itself, so that it is not passed on again. */
      readonly passed?: true
    }
  /** All rows of the keys that have changed, and the cursor to go on from. */
  | {
      readonly type: 'followed'
      readonly request: number
      /** False: the sender may not answer, or no longer. */
      readonly answered: boolean
      readonly since: Uint8Array
      /** Deletes since the cursor are purged: what the receiver has is void, and all that is there follows. */
      readonly reset?: true
      /** There was no room for the rest. */
      readonly more?: true
      readonly block: Uint8Array
    }

type Of<Type> = Extract<FollowingMessage, { readonly type: Type }>

/** Throws `MESSAGE_MALFORMED`. */
export function readFollow(fields: Fields): Of<'follow'> {
  return {
    type: 'follow',
    request: fields.count('request'),
    collection: fields.text('collection', 128),
    kind: fields.count('kind'),
    partition: fields.count('partition'),
    ...(fields.has('origin') ? { origin: fields.hash('origin') } : {}),
    ...(fields.has('since') ? { since: fields.bytes('since', FOLLOW_CURSOR_MAX_BYTES) } : {}),
    ...flagOf(fields, 'initial'),
    ...flagOf(fields, 'atOnce'),
    prefix: fields.anyText('prefix', KEY_MAX_BYTES),
    ...flagOf(fields, 'exact'),
    ...flagOf(fields, 'passed'),
  }
}

/** Throws `MESSAGE_MALFORMED`. */
export function readFollowed(fields: Fields, block: Uint8Array): Of<'followed'> {
  return {
    type: 'followed',
    request: fields.count('request'),
    answered: fields.flag('answered'),
    since: fields.bytes('since', FOLLOW_CURSOR_MAX_BYTES),
    ...flagOf(fields, 'reset'),
    ...flagOf(fields, 'more'),
    block,
  }
}

function flagOf<Name extends string>(fields: Fields, name: Name): { readonly [name in Name]?: true } {
  return fields.has(name) && fields.flag(name) ? ({ [name]: true } as { readonly [name in Name]: true }) : {}
}
