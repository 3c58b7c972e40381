import { decodeValue, encodeValue, scanCbor } from '@gossipgrid/core'
import { askedMapIn } from '../asked-map.ts'
import type { AskedMap } from '../asked-map.ts'
import { GUEST_REQUEST_KEYS_MAX, GUEST_REQUEST_MAX_BYTES } from '../guest-limits.ts'
import { MessageFields } from '../message-fields.ts'

/** Where a walk goes on: behind a key of a partition, among the keys with one of the prefixes that the pass covers. */
export interface WalkPlace {
  readonly prefix: string
  /** Its number, from 0. */
  readonly partition: number
  readonly after: string
}

/** What a guest asks of a partitioned map. */
export type MapQuestion =
  | {
      readonly op: 'read'
      readonly keys: readonly string[]
      /** Asks all owners in reach: of one key. */
      readonly all: boolean
    }
  | {
      readonly op: 'write'
      readonly key: string
      /** Undefined deletes. */
      readonly bytes: Uint8Array | undefined
      /** The guest dates a write when it first sends it, so that it has one date at all members. */
      readonly dateHlc: number
      /** It was sent before, on another connection, and a member may have taken it. */
      readonly again: boolean
      readonly ttlMs: number | undefined
      readonly expiresAtMs: number | undefined
      /** Owners to wait for. 0: all of them. */
      readonly copies: number | undefined
    }
  | {
      readonly op: 'walk'
      readonly prefix: string
      readonly place: WalkPlace | undefined
    }
  /** The parts of a query, or of an aggregate. */
  | { readonly op: 'query' | 'groups'; readonly asked: Readonly<Record<string, unknown>> }

/** One request of a guest. */
export type MapRequest = AskedMap & MapQuestion

/** An entry in a reply. `isUnknown`: no owner has answered. Without `bytes` there is none. */
export interface RepliedEntry {
  readonly isUnknown?: boolean
  readonly bytes?: Uint8Array
  /** Wall milliseconds. Undefined if it does not expire. */
  readonly expiresAtMs?: number
}

/** Throws `VALUE_TOO_LARGE`, and `INVALID_VALUE` for a query that is no plain value. */
export function encodeMapRequest(request: MapRequest): Uint8Array {
  return encodeValue(request, GUEST_REQUEST_MAX_BYTES)
}

/** Reads what any guest may have sent. Throws `MESSAGE_MALFORMED`. */
export function decodeMapRequest(bytes: Uint8Array): MapRequest {
  scanCbor(bytes)
  const fields = new MessageFields(decodeValue(bytes))
  return { ...askedMapIn(fields), ...questionIn(fields) }
}

function questionIn(fields: MessageFields): MapQuestion {
  const op = fields.text('op', 16)
  switch (op) {
    case 'read': {
      const keys = fields.list('keys', GUEST_REQUEST_KEYS_MAX).map((key) => new MessageFields({ key }).key('key'))
      const all = fields.flag('all')
      if (keys.length === 0 || (all && keys.length > 1)) throw MessageFields.malformed('keys')
      return { op, keys, all }
    }
    case 'write':
      return { op, ...writeIn(fields) }
    case 'walk': {
      const place = fields.has('place') ? placeIn(fields.nested('place')) : undefined
      return { op, prefix: fields.text('prefix', 1024), place }
    }
    case 'query':
    case 'groups':
      return { op, asked: fields.object('asked') }
    default:
      throw MessageFields.malformed('op')
  }
}

function writeIn(fields: MessageFields): Omit<Extract<MapQuestion, { op: 'write' }>, 'op'> {
  return {
    key: fields.key('key'),
    bytes: fields.has('bytes') ? fields.bytesUpTo('bytes') : undefined,
    dateHlc: fields.count('dateHlc'),
    again: fields.flag('again'),
    ttlMs: fields.has('ttlMs') ? fields.count('ttlMs') : undefined,
    expiresAtMs: fields.has('expiresAtMs') ? fields.count('expiresAtMs') : undefined,
    copies: fields.has('copies') ? fields.count('copies') : undefined,
  }
}

function placeIn(fields: MessageFields): WalkPlace {
  return {
    prefix: fields.text('prefix', 1024),
    partition: fields.count('partition'),
    after: fields.text('after', 1024),
  }
}
