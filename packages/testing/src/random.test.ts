import { expect, test } from 'vitest'
import { EventQueue } from './event-queue.ts'
import { Random } from './random.ts'

test('numbers depend on nothing but the seed', () => {
  const draw = (random: Random): number[] => Array.from({ length: 5 }, () => random.uint32())
  expect(draw(new Random(7))).toEqual(draw(new Random(7)))
  expect(draw(new Random(7))).not.toEqual(draw(new Random(8)))
  // The same numbers on every runtime.
  expect(draw(new Random(1))).toMatchInlineSnapshot(`
    [
      2212199553,
      1506684997,
      389392296,
      138374344,
      482077534,
    ]
  `)
})

test('draws for one purpose do not shift those for another', () => {
  const first = new Random(3)
  const second = new Random(3)
  second.uint32()
  expect(first.fork('disk').uint32()).toBe(second.fork('disk').uint32())
  expect(first.fork('disk').uint32()).not.toBe(first.fork('network').uint32())
})

test('events run by time, and within one millisecond in the order in which they were queued', () => {
  const queue = new EventQueue()
  const ran: string[] = []
  for (const [name, delay] of [
    ['c', 5],
    ['a', 1],
    ['d', 5],
    ['b', 3],
  ] as const) {
    queue.after(delay, () => ran.push(`${name} at ${queue.nowMs}`))
  }
  while (queue.step(4));
  expect(ran).toEqual(['a at 1', 'b at 3'])
  expect(queue.nowMs).toBe(4)
  while (queue.step(10));
  expect(ran.slice(2)).toEqual(['c at 5', 'd at 5'])
})
