import { GridError } from '../errors.ts'
import { KEY_MAX_BYTES, QUERY_ANSWER_MAX_BYTES, QUESTION_MAX_BYTES, READ_KEYS_MAX } from '../limits.ts'
import type { PeerId } from '../ports.ts'
import type { PartitionName } from './block.ts'
import type { Fields } from './fields.ts'

/** What a peer says to a question about a key. On the wire: never change a number. */
export const ReadOutcome = {
  /** Its rows, tombstones included, are in the answer: if there are none, the key was never written or is purged. */
  ANSWERED: 0,
  /** The peer has no whole copy that it may answer from. */
  UNKNOWN: 1,
  /** There was no room in the answer. */
  LEFT_OUT: 2,
  /** To a question about the receiver's own copy: what that has, and it may lack something. */
  PARTIAL: 3,
} as const

export type ReadOutcome = (typeof ReadOutcome)[keyof typeof ReadOutcome]

/** Keys of one partition. */
export interface KeysOfPart {
  readonly collection: string
  readonly kind: number
  readonly partition: number
  /** The registration of the collection that the sender knows; left out if it knows none. */
  readonly origin?: string
  readonly keys: readonly string[]
}

/** How a question is asked. */
export interface Manner {
  /** By a peer that was asked itself, so that it is not passed on again. */
  readonly passed?: true
  /** The sender takes the receiver for a former owner. */
  readonly former?: true
}

/** What peers ask about the contents of partitions, and what they answer. */
export type RoutingMessage =
  /** Asks for the rows of some keys. */
  | (Manner & {
      readonly type: 'read'
      readonly request: number
      readonly parts: readonly KeysOfPart[]
      /** About the copy of the receiver, whole or not: the question is not passed on. */
      readonly own?: true
    })
  /** One byte for each key of the question, in its order (see `ReadOutcome`), and the rows of those that are answered. */
  | { readonly type: 'found'; readonly request: number; readonly outcomes: Uint8Array; readonly block: Uint8Array }
  /** Asks for the first keys of a range of one partition, in order. */
  | (Manner & {
      readonly type: 'scan'
      readonly request: number
      readonly collection: string
      readonly kind: number
      readonly partition: number
      /** As in `KeysOfPart`. */
      readonly origin?: string
      /** The keys behind this one that begin with `prefix`. */
      readonly after: string
      readonly prefix: string
      readonly keysMax: number
    })
  /** Their rows, unless the sender may not answer. */
  | {
      readonly type: 'page'
      readonly request: number
      readonly answered: boolean
      /** The last key of the page; left out if nothing comes behind it. */
      readonly end?: string
      readonly block: Uint8Array
    }
  /** Asks for the number of keys in each of these partitions. */
  | (Manner & {
      readonly type: 'count'
      readonly request: number
      readonly collection: string
      readonly kind: number
      /** As in `KeysOfPart`. */
      readonly origin?: string
      readonly partitions: readonly number[]
    })
  /** For each partition of the question, in its order, one byte (see `ReadOutcome`) and the number; 0 if that is not known. */
  | {
      readonly type: 'counted'
      readonly request: number
      readonly outcomes: Uint8Array
      readonly counts: readonly number[]
    }
  /** Asks a query of these partitions, taken together. What it asks is read by the layer above. */
  | (Manner & {
      readonly type: 'query'
      readonly request: number
      readonly collection: string
      readonly kind: number
      /** As in `KeysOfPart`. */
      readonly origin?: string
      readonly partitions: readonly number[]
      readonly question: Uint8Array
    })
  /** For each partition of the question one byte (see `ReadOutcome`), and what those have that are answered. */
  | {
      readonly type: 'result'
      readonly request: number
      readonly outcomes: Uint8Array
      readonly answer: Uint8Array
      readonly block: Uint8Array
    }

/** A query of another peer, which the layer above is to answer. */
export interface AskedQuery {
  readonly from: PeerId
  readonly request: number
  readonly question: Uint8Array
  /** Those that this peer answers for from its own copies. */
  readonly own: readonly PartitionName[]
  /** Those that it is to ask others about. */
  readonly onward: readonly PartitionName[]
}

type Of<Type> = Extract<RoutingMessage, { readonly type: Type }>

/** Reads an answer that carries rows. Throws `MESSAGE_MALFORMED`. */
export function readAnswer(type: 'found' | 'page' | 'result', fields: Fields, block: Uint8Array): Of<typeof type> {
  const request = fields.count('request')
  if (type === 'found') return { type, request, outcomes: fields.bytes('outcomes'), block }
  if (type === 'result')
    return {
      type,
      request,
      outcomes: fields.bytes('outcomes'),
      answer: bytesOf(fields, 'answer', QUERY_ANSWER_MAX_BYTES),
      block,
    }
  const end = fields.has('end') ? { end: fields.anyText('end', KEY_MAX_BYTES) } : {}
  return { type, request, answered: fields.flag('answered'), ...end, block }
}

/** Reads a question, or numbers of keys. Throws `MESSAGE_MALFORMED`. */
export function readQuestion(type: 'read' | 'scan' | 'count' | 'counted' | 'query', fields: Fields): Of<typeof type> {
  const request = fields.count('request')
  switch (type) {
    case 'read': {
      const parts = fields.list('parts', READ_KEYS_MAX).map((part) => ({
        ...collectionOf(part),
        partition: part.count('partition'),
        keys: part.keys('keys', READ_KEYS_MAX, KEY_MAX_BYTES),
      }))
      const own = fields.has('own') && fields.flag('own') ? { own: true as const } : {}
      return { type, request, parts, ...mannerOf(fields), ...own }
    }
    case 'scan':
      return {
        type,
        request,
        ...collectionOf(fields),
        partition: fields.count('partition'),
        after: fields.anyText('after', KEY_MAX_BYTES),
        prefix: fields.anyText('prefix', KEY_MAX_BYTES),
        keysMax: fields.count('keysMax'),
        ...mannerOf(fields),
      }
    case 'count':
      return { type, request, ...collectionOf(fields), partitions: fields.counts('partitions'), ...mannerOf(fields) }
    case 'counted':
      return { type, request, outcomes: fields.bytes('outcomes'), counts: fields.counts('counts') }
    case 'query':
      return {
        type,
        request,
        ...collectionOf(fields),
        partitions: fields.counts('partitions'),
        question: bytesOf(fields, 'question', QUESTION_MAX_BYTES),
        ...mannerOf(fields),
      }
  }
}

function bytesOf(fields: Fields, name: string, sizeMax: number): Uint8Array {
  const bytes = fields.bytes(name)
  if (bytes.length > sizeMax) throw new GridError('MESSAGE_MALFORMED', `message.${name} has ${bytes.length} bytes`)
  return bytes
}

function collectionOf(fields: Fields): { collection: string; kind: number; origin?: string } {
  const origin = fields.has('origin') ? { origin: fields.hash('origin') } : {}
  return { collection: fields.text('collection', 128), kind: fields.count('kind'), ...origin }
}

function mannerOf(fields: Fields): Manner {
  const isSaid = (name: keyof Manner): boolean => fields.has(name) && fields.flag(name)
  return { ...(isSaid('passed') ? { passed: true } : {}), ...(isSaid('former') ? { former: true } : {}) }
}
