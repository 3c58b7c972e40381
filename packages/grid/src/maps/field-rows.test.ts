import { compositeKey, decodeValue, encodeValue, openPeer } from '@gossipgrid/core'
import type { Partition, Peer } from '@gossipgrid/core'
import { describe, expect, it } from 'vitest'
import { FieldRows } from './field-rows.ts'

const NOW = { wallMs: 1_800_000_000_000, monotonicMs: 0 }

function fieldsPartition(): { peer: Peer; partition: Partition } {
  let seed = 0
  const random = { uint32: () => (seed = (seed * 1_664_525 + 1_013_904_223) >>> 0) }
  const peer = openPeer({ peerId: 'p', gridName: 'g', random, persistent: false, software: 'test' }).finish(NOW)
  const { partitions } = peer.open({ name: 'm', kind: 'fields', mode: 'replicated', partitions: 1 })
  return { peer, partition: partitions[0]! }
}

function objectAt(rows: FieldRows, key: string): unknown {
  const content = rows.content(key, () => NOW.wallMs)
  return content === undefined ? undefined : decodeValue(content)
}

describe('rows that no honest peer writes', () => {
  it('a field that would be a prototype is none', () => {
    const { peer, partition } = fieldsPartition()
    peer.write(partition, compositeKey('k', '__proto__'), encodeValue({ polluted: true }, 100), NOW)
    peer.write(partition, compositeKey('k', 'a'), encodeValue(1, 100), NOW)
    const object = objectAt(new FieldRows(partition, 1000), 'k') as Record<string, unknown>
    expect(Object.entries(object)).toEqual([['a', 1]])
    expect(object['polluted']).toBeUndefined()
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  })

  it('an object with more rows than one piece can hold is read, and can be deleted', () => {
    const { peer, partition } = fieldsPartition()
    for (let i = 0; i < 1500; i++) {
      peer.write(partition, compositeKey('k', `f${i}`), encodeValue(i, 100), NOW)
    }
    const rows = new FieldRows(partition, 1000)
    expect(Object.keys(objectAt(rows, 'k') as object)).toHaveLength(1500)
    for (const { key, bytes } of rows.rows('k', undefined, Infinity)) peer.write(partition, key, bytes, NOW)
    expect(objectAt(rows, 'k')).toBeUndefined()
  })

  it('a row that says that the object is there may hold anything', () => {
    const { peer, partition } = fieldsPartition()
    peer.write(partition, 'k', encodeValue({ not: 'true' }, 100), NOW)
    expect(objectAt(new FieldRows(partition, 1000), 'k')).toEqual({})
  })

  it('rows without a key belong to no object that anybody could ask for', () => {
    const { peer, partition } = fieldsPartition()
    peer.write(partition, compositeKey('', 'a'), encodeValue(1, 100), NOW)
    const rows = new FieldRows(partition, 1000)
    expect([...rows.keys(() => NOW.wallMs)]).toEqual([])
    expect(rows.count).toBe(0)
  })
})

it('rows that are removed, as by a full resync, leave the count', () => {
  const { peer, partition } = fieldsPartition()
  const rows = new FieldRows(partition, 1000)
  const { replica } = partition
  const before: unknown[] = []
  replica.observe({
    changed: (slot, previous) => {
      rows.changed(slot, previous)
      const content = rows.before(slot, previous)
      before.push(content === undefined ? undefined : decodeValue(content))
    },
  })
  peer.write(partition, compositeKey('k', 'a'), encodeValue(1, 100), NOW)
  peer.write(partition, 'k', encodeValue(true, 100), NOW)
  expect(rows.count).toBe(1)
  for (const slot of [...replica.table.slots()]) replica.drop(slot)
  expect(rows.count).toBe(0)
  expect(objectAt(rows, 'k')).toBeUndefined()
  expect(before).toEqual([undefined, { a: 1 }, { a: 1 }, {}])
})
