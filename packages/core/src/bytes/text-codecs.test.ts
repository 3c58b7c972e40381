import { HALVES, hardTexts } from '@gossipgrid/testing/hard-texts'
import { describe, expect, it } from 'vitest'
import { BlockWriter, readBlock } from '../wire/block.ts'
import { ByteReader, ByteWriter } from './bytes.ts'
import { decodeValue, encodeValue } from './cbor.ts'
import { compositeKey, hasMain, mainOf, splitKey } from './composite-key.ts'
import { GridError } from '../errors.ts'
import { equalsKey, isWide, readKey, writeKey } from '../entries/key-bytes.ts'
import { checkName, hasControls } from '../kinds/names.ts'
import { KEY_MAX_BYTES, NAME_MAX_BYTES } from '../limits.ts'
import { decodeMessage, encodeMessage } from '../wire/messages.ts'
import type { Message } from '../wire/messages.ts'
import { ReplicaIds } from '../versions/replica-ids.ts'
import { decodePart, encodePart } from '../storage/stored-state.ts'

/** Lengths of keys, around those at which a codec changes its way. */
const KEYS = hardTexts([3, 4, 6, 8, 15, 16, 31, 32, 63, 64, 65, 66, 126, 127, 128, 129, 255, 256, 1000, KEY_MAX_BYTES])
const NAMES = hardTexts([3, 16, 32, 63, 64, 65, 66, 127, NAME_MAX_BYTES]).filter(({ text }) => !hasControls(text))
const REPLICA_ID = '0123456789abcdef'

const member = (text: string) => ({
  peerId: text,
  incarnation: 1,
  revision: 2,
  role: 'storage' as const,
  weight: 0.1,
  zone: text.slice(0, 64).toWellFormed(),
  addresses: [text, `/dns4/${text}`],
  software: text.slice(-64).toWellFormed(),
  replicaId: REPLICA_ID,
  left: false,
})
const part = (text: string) => ({
  collection: text,
  kind: 2,
  partition: 0,
  fingerprint: REPLICA_ID,
  vector: Uint8Array.of(1),
})

describe('text comes out of a codec as it went in', () => {
  it('of keys and names in logs, segments and blocks', () => {
    for (const { text, what } of KEYS) {
      const writer = new ByteWriter()
      writer.text(text)
      writer.byte(7)
      const reader = new ByteReader(writer.copy())
      expect([reader.text(KEY_MAX_BYTES), reader.byte()], what).toEqual([text, 7])
    }
  })
  it('of keys that are kept outside of the heap', () => {
    for (const { text, what } of KEYS) {
      const wide = isWide(text)
      const bytes = new Uint8Array(text.length * (wide ? 2 : 1) + 1)
      writeKey(text, wide, bytes, 1)
      expect(readKey(bytes, 1, bytes.length - 1, wide) === text, what).toBe(true)
      expect(equalsKey(bytes, 1, bytes.length - 1, wide, text), what).toBe(true)
      expect(equalsKey(bytes, 1, bytes.length - 1, wide, `${text.slice(0, -1)}!`), what).toBe(false)
    }
  })
  it('of both parts of a key', () => {
    for (const { text, what } of KEYS.filter((hard) => !hard.text.includes('\u0000'))) {
      const key = compositeKey(text, `${text}.`)
      expect(splitKey(key), what).toEqual({ main: text, sub: `${text}.` })
      expect([mainOf(key), hasMain(key, text)], what).toEqual([text, true])
    }
  })
  it('of a block with the name, the key and the value of a row', () => {
    const ids = new ReplicaIds()
    const writer = ids.intern(REPLICA_ID)
    const rowsBlock = new BlockWriter(ids)
    const rows = KEYS.map(({ text }, i) => {
      const bytes = encodeValue(text, 5000)
      const partition = { collection: NAMES[i % NAMES.length]!.text, kind: 1, partition: 0 }
      rowsBlock.row(partition, {
        key: text,
        hlc: 1,
        writer,
        sequence: i + 1,
        replaced: 0,
        bytes,
        start: 0,
        end: bytes.length,
      })
      return [partition.collection, text, text]
    })
    const read = readBlock(rowsBlock.take(), ids).flatMap((record) =>
      record.type === 'rows'
        ? record.rows.map((row) => [
            record.partition.collection,
            row.key,
            decodeValue(row.bytes!.subarray(row.start, row.end)),
          ])
        : [],
    )
    expect(read).toEqual(rows)
  })
  it('of every text in a message', () => {
    for (const { text, what } of NAMES) {
      const presence = { incarnation: 1, revision: 1, value: encodeValue(text, 1000) }
      const messages: Message[] = [
        { type: 'announce', member: member(text), root: REPLICA_ID, bulk: false, parts: [part(text)], presence },
        { type: 'hello', members: [member(text), member('a')], presence },
        { type: 'stop', session: 1, reason: text },
        { type: 'vectors', session: 1, ask: true, kinds: [1, 2], parts: [part(text), part('b')] },
        { type: 'confirm', request: 1, collection: text, kind: 2, partition: 0, replicaId: REPLICA_ID, sequence: 1 },
        { type: 'publish', messages: [{ topic: text, value: encodeValue(text, 1000) }] },
        { type: 'presence', presence },
      ]
      for (const message of messages) expect(decodeMessage(encodeMessage(message)), what).toEqual(message)
    }
  })
  it('of the name of a stored partition', () => {
    for (const { text, what } of NAMES) {
      const { fingerprint: _, ...named } = part(text)
      const stored = { ...named, segmentBits: 0, segments: [0] }
      expect(decodePart(encodePart(stored)), what).toEqual(stored)
    }
  })
})

it('a name that is half of a character is refused, since two such names would be one in UTF-8', () => {
  for (const half of HALVES) {
    expect(() => checkName(half, 'collection')).toThrow(GridError)
    expect(() => encodeMessage({ type: 'stop', session: 1, reason: half })).toThrow(GridError)
  }
})
