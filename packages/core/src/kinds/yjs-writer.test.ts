import fc from 'fast-check'
import { expect, test } from 'vitest'
import { mergeDeletes, writeYjsUpdate } from './yjs-writer.ts'

const ranges = fc.array(fc.tuple(fc.integer({ min: 1, max: 3 }), fc.nat(30), fc.integer({ min: 1, max: 5 })), {
  maxLength: 20,
})

/** Everything that ranges delete, one by one. */
function deleted(numbers: readonly number[]): Set<string> {
  const all = new Set<string>()
  for (let i = 0; i < numbers.length; i += 3) {
    for (let k = 0; k < numbers[i + 2]!; k++) all.add(`${numbers[i]} ${numbers[i + 1]! + k}`)
  }
  return all
}

test('deletes are merged into ranges that ascend and do not touch, and delete the same', () => {
  fc.assert(
    fc.property(ranges, (drawn) => {
      const merged = mergeDeletes(drawn.flat())
      expect(deleted(merged)).toEqual(deleted(drawn.flat()))
      const left = new Map<number, number>()
      let last: number | undefined
      for (let i = 0; i < merged.length; i += 3) {
        const [client, clock, length] = merged.slice(i, i + 3) as [number, number, number]
        expect(clock).toBeGreaterThan(left.get(client) ?? -1)
        if (client !== last) expect(left.has(client)).toBe(false)
        left.set(client, clock + length)
        last = client
      }
      expect(mergeDeletes(merged)).toEqual(merged)
    }),
  )
})

test('an update stays as it is when another one is written', () => {
  const structs = (byte: number, sizeBytes: number) => [
    { client: 1, clock: 0, count: 1, pieces: [new Uint8Array(sizeBytes).fill(byte)] },
  ]
  const updates = [10, 20, 10_000, 10].map((sizeBytes, i) => ({
    i,
    sizeBytes,
    update: writeYjsUpdate(structs(i, sizeBytes), []),
  }))
  for (const { i, sizeBytes, update } of updates) {
    expect(update).toEqual(Uint8Array.of(1, 1, 1, 0, ...new Uint8Array(sizeBytes).fill(i), 0))
  }
})
