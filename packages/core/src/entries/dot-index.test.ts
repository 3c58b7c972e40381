import fc from 'fast-check'
import { expect, test } from 'vitest'
import { DotIndex } from './dot-index.ts'
import { SeededRandom } from '../bytes/seeded-random.ts'

/** The index, and the plain state that it refers to: each slot has one dot. */
class Slots {
  readonly dots: { writer: number; sequence: number }[] = []
  readonly index = new DotIndex(
    (slot, writer, sequence) => this.dots[slot]?.writer === writer && this.dots[slot].sequence === sequence,
  )

  put(slot: number, writer: number, sequence: number): void {
    this.dots[slot] = { writer, sequence }
    this.index.add(writer, sequence, slot)
  }

  visited(writer: number, first: number, last: number): [number, number][] {
    const found: [number, number][] = []
    const next = this.index.visit(writer, first, last, (slot, sequence) => found.push([sequence, slot]) > 0)
    if (next !== last + 1) throw new Error(`the visit stopped at ${next}`)
    return found
  }

  expected(writer: number, first: number, last: number): [number, number][] {
    const found: [number, number][] = []
    for (const [slot, dot] of this.dots.entries()) {
      if (dot?.writer === writer && dot.sequence >= first && dot.sequence <= last) found.push([dot.sequence, slot])
    }
    return found.toSorted((a, b) => a[0] - b[0])
  }
}

const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ slot: fc.nat(30), writer: fc.nat(2), jump: fc.integer({ min: -20, max: 4 }) }) },
  { weight: 1, arbitrary: fc.record({ first: fc.nat(60), span: fc.nat(40), writer: fc.nat(3) }) },
)

test('a visit finds exactly the slots that still hold a dot of the range, oldest first', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const slots = new Slots()
      const used = new Set<string>()
      const heads = [0, 0, 0]
      for (const each of steps) {
        if ('span' in each) {
          const last = each.first + each.span
          expect(slots.visited(each.writer, each.first, last)).toEqual(slots.expected(each.writer, each.first, last))
          continue
        }
        let sequence = Math.max(1, heads[each.writer]! + each.jump)
        while (used.has(`${each.writer} ${sequence}`)) sequence += 1
        used.add(`${each.writer} ${sequence}`)
        heads[each.writer] = Math.max(heads[each.writer]!, sequence)
        slots.put(each.slot, each.writer, sequence)
      }
      for (let writer = 0; writer < 3; writer++) {
        expect(slots.visited(writer, 0, 0xffffffff)).toEqual(slots.expected(writer, 0, 0xffffffff))
      }
    }),
    { numRuns: 400 },
  )
})

test('thousands of dots in any order, with most of them superseded, are swept and stay sorted', () => {
  const random = new SeededRandom(8)
  const slots = new Slots()
  const sequences = Array.from({ length: 30_000 }, (_, i) => i + 1)
  for (let i = 0; i < sequences.length; i++) {
    // Mostly in order, with neighbourhoods shuffled: what a lossy broadcast delivers.
    const j = Math.min(sequences.length - 1, i + random.below(50))
    const stored = sequences[i]!
    sequences[i] = sequences[j]!
    sequences[j] = stored
  }
  for (const [i, sequence] of sequences.entries()) {
    slots.put(random.below(2500), 1, sequence)
    if (i % 3000 === 0) {
      const first = random.below(30_000)
      expect(slots.visited(1, first, first + 5000)).toEqual(slots.expected(1, first, first + 5000))
    }
  }
  expect(slots.visited(1, 1, 30_000)).toEqual(slots.expected(1, 1, 30_000))
})

test('a visit that is stopped says where to go on', () => {
  const slots = new Slots()
  for (let sequence = 1; sequence <= 10; sequence++) slots.put(sequence, 0, sequence * 2)
  const seen: number[] = []
  const next = slots.index.visit(0, 3, 15, (_, sequence) => seen.push(sequence) < 3)
  expect(seen).toEqual([4, 6, 8])
  expect(next).toBe(8)
})

test('an unknown replica id has no slots', () => {
  expect(new Slots().visited(7, 1, 100)).toEqual([])
})

test('the largest sequence numbers keep their order in a loose tail', () => {
  const slots = new Slots()
  const top = 0xffffffff
  for (let i = 0; i < 3000; i++) slots.put(i, 0, top - ((i * 7) % 3000))
  expect(slots.visited(0, 0, top)).toEqual(slots.expected(0, 0, top))
})

test('two slots may wrongly share a dot, and both are found', () => {
  const slots = new Slots()
  slots.put(1, 0, 5)
  slots.put(2, 0, 5)
  expect(slots.visited(0, 5, 5)).toEqual([
    [5, 1],
    [5, 2],
  ])
})
