import { describe, expect, it } from 'vitest'
import { BlockWriter, readBlock } from '../wire/block.ts'
import { ByteWriter } from '../bytes/bytes.ts'
import { documentClient, documentHeader, documentKey, documentUpdate, documentValue } from './document-row.ts'
import { readDocumentHeader, readDocumentKey } from './document-row.ts'
import type { Row } from '../entries/entry-table.ts'
import { ADOPTED_REPLICA_ID, ReplicaIds } from '../versions/replica-ids.ts'

const AUTHOR = '0123456789abcdef'
const OTHER = 'fedcba9876543210'
const NONCE = 77
const PARTITION = { collection: 'documents', kind: 6, partition: 0 }

/** An update of one struct of deleted content. */
function update(client: number, clock: number, length: number): Uint8Array {
  const writer = new ByteWriter()
  for (const number of [1, 1, client, clock, 1, 1]) writer.varint(number)
  writer.text('text')
  for (const number of [length, 0]) writer.varint(number)
  return writer.copy()
}

function key(client: number, generation = 0, nonce = NONCE): string {
  return documentKey({ document: 'notes', generation, nonce, client, level: 'a', index: 0 })
}

/** What becomes of a row that `writer` is said to have written. */
function received(writer: string, rowKey: string, value: Uint8Array | undefined): string {
  const ids = new ReplicaIds()
  const block = new BlockWriter(ids)
  const row: Row = {
    key: rowKey,
    hlc: 1,
    writer: ids.intern(writer),
    sequence: 1,
    replaced: 0,
    bytes: value,
    start: 0,
    end: value?.length ?? 0,
  }
  block.row(PARTITION, row)
  try {
    readBlock(block.take(), new ReplicaIds())
    return 'taken'
  } catch (error) {
    return (error as Error).message
  }
}

describe('a row of a document', () => {
  const client = documentClient(AUTHOR, NONCE)
  const value = documentValue(update(client, 0, 5), AUTHOR, AUTHOR)

  it('is accepted from the replica id that its client id belongs to', () => {
    expect(received(AUTHOR, key(client), value)).toBe('taken')
    expect(received(AUTHOR, key(client), undefined)).toBe('taken')
    expect(received(AUTHOR, key(client, 123_456_789), value)).toBe('taken')
  })
  it('is refused from another replica id, whichever peer relays it', () => {
    expect(received(OTHER, key(client), value)).toContain('client id that its writer does not own')
  })
  it('is accepted from the store of a guest, where it is under no replica id', () => {
    expect(received(ADOPTED_REPLICA_ID, key(client), value)).toBe('taken')
    const foreign = documentValue(update(client, 0, 5), OTHER, AUTHOR)
    expect(received(AUTHOR, key(client), documentValue(update(client, 0, 5), ADOPTED_REPLICA_ID, AUTHOR))).toContain(
      'client id that its writer does not own',
    )
    expect(received(ADOPTED_REPLICA_ID, key(client), foreign)).toContain('client id that its writer does not own')
  })
  it('is refused with structs of another client id', () => {
    const foreign = documentValue(update(documentClient(OTHER, NONCE), 0, 5), AUTHOR, AUTHOR)
    expect(received(AUTHOR, key(client), foreign)).toContain('client id that its writer does not own')
  })
  it('is accepted from a later replica id of its author that names the earlier one', () => {
    const carried = documentValue(update(client, 0, 5), AUTHOR, OTHER)
    expect(received(OTHER, key(client), carried)).toBe('taken')
    expect(documentUpdate(carried, 0, carried.length).author).toBe(AUTHOR)
  })
  it('is refused under a key that says the same in other words', () => {
    for (const wrong of [
      'notes\u0000x',
      key(client).replace('.a0', '.e0'),
      key(client).replace('\u00000.', '\u000000.'),
      '\u0000',
      key(client).replace('notes', 'no\ntes'),
    ]) {
      expect(received(AUTHOR, wrong, value)).toContain('malformed')
    }
  })
  it('is refused with a value that is no update', () => {
    for (const bytes of [[0xf5], [0x40], [0x58], [0x82, 0x41, 0x00, 0x60], [0x81, 0x41, 0x00]]) {
      expect(received(AUTHOR, key(client), Uint8Array.from(bytes))).not.toBe('taken')
    }
  })
  it('has a header that says a generation and nothing else', () => {
    expect(received(OTHER, 'notes', documentHeader({ generation: 99 }))).toBe('taken')
    expect(readDocumentHeader(documentHeader({ generation: 99 }))).toEqual({ generation: 99, deleted: false })
    for (const bytes of [[0x80], [0x81, 0x20], [0x81, 0xf5], [0x61, 0x61]]) {
      expect(received(OTHER, 'notes', Uint8Array.from(bytes))).toContain('header')
    }
  })
})

describe('the key of a row', () => {
  it('reads as it was written', () => {
    const parts = {
      document: 'a/b',
      generation: 2 ** 52,
      nonce: 0xffffffff,
      client: 2 ** 35 - 1,
      level: 'c',
      index: 1000,
    } as const
    expect(readDocumentKey(documentKey(parts))).toEqual(parts)
  })
  it('has a client id of 35 bits that depends on replica id and nonce', () => {
    const clients = new Set(
      [AUTHOR, OTHER].flatMap((id) => Array.from({ length: 1000 }, (_, nonce) => documentClient(id, nonce))),
    )
    expect(clients.size).toBe(2000)
    expect(Math.max(...clients)).toBeLessThan(2 ** 35)
    expect(Math.max(...clients)).toBeGreaterThan(2 ** 34)
  })
})
