import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Replica, ReplicaIds } from '@gossipgrid/core/internals'
import { expect, test } from 'vitest'
import { FuzzTarget } from './fuzz-target.ts'
import { fuzz } from './fuzz.ts'
import { HARMFUL_MESSAGES } from './harmful-messages.ts'

const MEBIBYTE = 1024 * 1024

/** Bytes of the heap that are in use. */
function heapBytes(): number {
  setFlagsFromString('--expose-gc')
  ;(runInNewContext('gc') as () => void)()
  return process.memoryUsage().heapUsed
}

test('a hundred thousand hostile inputs are refused or do no harm, and the peer converges afterwards', () => {
  const before = heapBytes()
  const result = fuzz({ seed: 1, inputs: 100_000 })
  expect(result.finding).toBe('')
  expect(result.accepted).toBeGreaterThan(20_000)
  expect(result.refused['MESSAGE_MALFORMED']).toBeGreaterThan(20_000)
  expect(heapBytes() - before).toBeLessThan(50 * MEBIBYTE)
}, 600_000)

test('the same seed gives the same run', () => {
  const { slowestMs: first, ...once } = fuzz({ seed: 9, inputs: 1500 })
  const { slowestMs: second, ...again } = fuzz({ seed: 9, inputs: 1500 })
  expect(again).toEqual(once)
  expect(Math.min(first, second)).toBeGreaterThan(0)
})

test.each(HARMFUL_MESSAGES)('$why: fixed', ({ inputs }) => {
  const target = new FuzzTarget(1)
  const ids = target.victim.collections.ids.count
  for (const input of inputs(target)) target.give(input)
  target.advance(1000)
  target.settle()
  expect(target.victim.collections.ids.count - ids).toBeLessThan(10)
  expect(target.victim.membership.get('honest')?.state).toBe('alive')
})

test('memory does not grow with what is refused', () => {
  const target = new FuzzTarget(2)
  const harmful = HARMFUL_MESSAGES.find(({ why }) => why.startsWith('the replica ids of a refused block'))!
  for (const input of harmful.inputs(target)) target.give(input)
  const before = heapBytes()
  for (let i = 0; i < 150; i++) for (const input of harmful.inputs(target)) target.give(input)
  expect(heapBytes() - before).toBeLessThan(5 * MEBIBYTE)
})

/** Runs with a method replaced; the first finding of some seeds. */
function planted<T extends object, K extends keyof T>(prototype: T, name: K, method: T[K]): string {
  const original = prototype[name]
  prototype[name] = method
  try {
    for (let seed = 3; seed < 12; seed++) {
      const { finding } = fuzz({ seed, inputs: 4000 })
      if (finding !== '') return finding
    }
    return ''
  } finally {
    prototype[name] = original
  }
}

test('planted bugs are found: a change by a refused message, an error that is no refusal, a lasting difference', () => {
  const numbering = planted(ReplicaIds.prototype, 'indexOf', function indexOf(this: ReplicaIds, id: string) {
    return this.intern(id)
  })
  expect(numbering).toContain('and yet changed')
  const { compare } = Replica.prototype
  const failing = planted(Replica.prototype, 'compare', function failing(this: Replica, row, slot) {
    if (row.key === 'constructor') throw new TypeError('a planted bug')
    return compare.call(this, row, slot)
  })
  expect(failing).toContain('a planted bug')
  const { merge } = Replica.prototype
  const losing = planted(Replica.prototype, 'merge', function losing(this: Replica, row) {
    if (row.key !== 'late 1') return merge.call(this, row)
    this.vector.add(row.writer, row.sequence)
    return 'lost'
  })
  expect(losing).toContain('do not become equal')
})
