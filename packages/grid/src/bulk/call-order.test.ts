import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import type { Grid } from '../grid.ts'
import type { GridMap } from '../maps/grid-map.ts'
import { TestGrids, diskInMemory } from '../rig/test-grids.ts'

let grids = new TestGrids()

afterEach(async () => {
  await grids.close()
  grids = new TestGrids()
})

/** More than several slices. */
const MANY = 5000

function entriesOf<Value>(value: Value, count: number = MANY): [string, Value][] {
  return Array.from({ length: count }, (_, i) => [`k${i}`, value])
}

const LAST = `k${MANY - 1}`

describe('what a program writes after it has called setMany, whose promise it does not await,', () => {
  it('stands, be it set, deleted, updated or written in a batch', async () => {
    const grid = await grids.open({ storage: diskInMemory() })
    const map = grid.map<string>('m')
    await map.set('k4000', 'before')
    const bulk = map.setMany(entriesOf('bulk'))
    const later = [
      map.set(LAST, 'later'),
      map.delete('k4000'),
      map.delete('k4001'),
      map.update('k4002', (value) => `${value} + 1`),
      map.transact((batch) => {
        batch.set('k4003', 'batch')
        batch.delete('k4004')
      }),
    ]
    expect(map.peek(LAST)).toBe('later')
    const receipts = await bulk
    await Promise.all(later)
    expect([LAST, 'k4000', 'k4001', 'k4002', 'k4003', 'k4004', 'k4005'].map((key) => map.peek(key))).toEqual([
      'later',
      undefined,
      undefined,
      'undefined + 1',
      'batch',
      undefined,
      'bulk',
    ])
    expect(map.size).toBe(MANY - 3)
    expect(receipts).toHaveLength(MANY)
    expect(receipts.every(({ durable, copies }) => durable && copies === 1)).toBe(true)
  })

  it('stands in the copies of other peers, and after the next start', async () => {
    const storage = diskInMemory()
    const grid = await grids.open({ storage })
    const other = await grids.open()
    const bulk = grid.map('m').setMany(entriesOf('bulk'))
    await grid.map('m').delete(LAST)
    await grid.map('m').set('k4000', 'later')
    await bulk
    await other.ready()
    for await (const { key } of other.map('m').changes({ initial: true })) if (key === 'k4998') break
    expect([LAST, 'k4000'].map((key) => other.map('m').peek(key))).toEqual([undefined, 'later'])
    await grid.close()
    const again = await grids.open({ storage })
    expect([LAST, 'k4000'].map((key) => again.map('m').peek(key))).toEqual([undefined, 'later'])
  })

  it('stands where it is another setMany, whichever of them is quicker', async () => {
    const grid = await grids.open({ storage: diskInMemory() })
    const map = grid.map<string>('m')
    await Promise.all([
      map.setMany(entriesOf('first')),
      map.setMany(entriesOf('second').toReversed()),
      map.setMany(entriesOf('third', 2500)),
    ])
    const values = await map.getMany(entriesOf(0).map(([key]) => key))
    expect([...values].filter(([key, value]) => value !== (Number(key.slice(1)) < 2500 ? 'third' : 'second'))).toEqual(
      [],
    )
  })

  it('stands in a map with fields', async () => {
    const grid = await grids.open()
    const map = grid.map<object>('m', { merge: 'fields' })
    await map.set('k1500', { c: 1 })
    const bulk = map.setMany(entriesOf<object>({ a: 1, b: 1 }, 2000))
    await Promise.all([map.set('k1999', { b: 2 }), map.delete('k1998'), map.delete('k1500')])
    await bulk
    expect(['k1999', 'k1998', 'k1500', 'k1997'].map((key) => map.peek(key))).toEqual([
      { b: 2 },
      undefined,
      undefined,
      { a: 1, b: 1 },
    ])
  })

  it('stands where all that a slice would write was written later', async () => {
    const grid = await grids.open({ storage: diskInMemory() })
    const map = grid.map<string>('m')
    const first = map.setMany(entriesOf('first'), { copies: 1 })
    const second = map.setMany(entriesOf('second'))
    const [receipts] = await Promise.all([first, second])
    expect(receipts).toHaveLength(MANY)
    expect(receipts.every(({ version, durable }) => version.sequence > 0 && durable)).toBe(true)
    expect(map.peek(LAST)).toBe('second')
  })
})

describe('a method that writes many entries', () => {
  it('writes what comes twice in what it was given as often as that, the last one last', async () => {
    const grid = await grids.open()
    const map = grid.map<string>('m')
    const twice = [...entriesOf('first', 2500), ...entriesOf('second', 2500)]
    const bulk = map.setMany([...twice, ['k7', 'third'] as [string, string]])
    // A write of another key between two slices.
    await map.set('other', 'x')
    await bulk
    expect(['k0', 'k2499', 'k7'].map((key) => map.peek(key))).toEqual(['second', 'second', 'third'])
  })

  it('writes over what was there before the call', async () => {
    const grid = await grids.open()
    const map = grid.map<string>('m')
    const before = map.set(LAST, 'before')
    await Promise.all([before, map.setMany(entriesOf('bulk'))])
    expect(map.peek(LAST)).toBe('bulk')
  })

  it('clears a map of what was there at the call, and of nothing that is written later', async () => {
    const grid = await grids.open()
    const map = grid.map<string>('m')
    await map.setMany(entriesOf('old'))
    const clearing = map.clear()
    await map.set(LAST, 'new')
    await clearing
    expect([map.size, map.peek(LAST)]).toEqual([1, 'new'])
  })

  it('clears a map of what an earlier call is still to write', async () => {
    const grid = await grids.open()
    const map = grid.map<string>('m')
    const set = grid.set<number>('s')
    const done = [map.setMany(entriesOf('bulk')), map.clear(), set.addMany([...entriesOf(0).keys()]), set.clear()]
    void map.set(LAST, 'new')
    expect((await Promise.all(done))[1]).toBe(MANY)
    expect([map.size, map.peek(LAST), set.size]).toEqual([1, 'new', 0])
  })

  it('counts an entry of an async iterable from when it was handed out', async () => {
    const grid = await grids.open()
    const map = grid.map<string>('m')
    async function* rows(): AsyncGenerator<[string, string], void, undefined> {
      yield ['early', 'bulk']
      void map.set('early', 'later')
      void map.set('late', 'earlier')
      yield ['late', 'bulk']
    }
    await map.setMany(rows())
    expect(['early', 'late'].map((key) => map.peek(key))).toEqual(['later', 'bulk'])
  })

  it('does the same for a set', async () => {
    const grid = await grids.open()
    const set = grid.set<number>('s')
    const numbers = Array.from({ length: MANY }, (_, i) => i)
    const adding = set.addMany(numbers)
    await set.delete(MANY - 1)
    await grid.transact((batch) => batch.set<number>('s').delete(MANY - 2))
    await adding
    expect([set.size, set.holds(MANY - 1), set.holds(MANY - 2)]).toEqual([MANY - 2, false, false])
    const clearing = set.clear()
    await set.add(MANY - 3)
    await clearing
    expect([set.size, set.holds(MANY - 3)]).toEqual([1, true])
  })

  it('leaves nothing behind that would make a delete of what is not there a write', async () => {
    const grid: Grid = await grids.open()
    const map = grid.map<string>('m')
    await map.setMany(entriesOf('bulk'))
    await expect(map.setMany([['', 'x']])).rejects.toMatchObject({ code: 'INVALID_KEY' })
    expect(await map.delete('none')).toBeUndefined()
    expect(await grid.set('s').delete('none')).toBeUndefined()
  })
})

type Call =
  | { readonly type: 'setMany'; readonly first: number; readonly count: number }
  | { readonly type: 'set' | 'delete'; readonly key: number }
  | { readonly type: 'clear' }

const calls = fc.array(
  fc.oneof(
    fc.record({ type: fc.constant('setMany' as const), first: fc.nat(3000), count: fc.integer({ min: 1, max: 3000 }) }),
    fc.record({ type: fc.constantFrom('set' as const, 'delete' as const), key: fc.nat(6000) }),
    fc.record({ type: fc.constant('clear' as const) }),
  ),
  { minLength: 2, maxLength: 12 },
)

describe('calls that are not awaited', () => {
  it('end as if each had been awaited before the next', async () => {
    const grid = await grids.open()
    let runs = 0
    await fc.assert(
      fc.asyncProperty(calls, fc.array(fc.boolean()), async (made, pauses) => {
        const map = grid.map<number>(`m${runs++}`)
        const expected = new Map<string, number>()
        const promises: Promise<unknown>[] = []
        for (const [value, call] of made.entries()) {
          promises.push(make(map, call, value))
          apply(expected, call, value)
          if (pauses[value] === true) await new Promise((resolve) => setImmediate(resolve))
        }
        await Promise.all(promises)
        const shown = new Map<string, number>()
        for await (const [key, value] of map.entries()) shown.set(key, value)
        expect(shown).toEqual(expected)
      }),
      { numRuns: 30 },
    )
  })
})

function make(map: GridMap<number>, call: Call, value: number): Promise<unknown> {
  if (call.type === 'setMany') return map.setMany(rangeOf(call, value))
  if (call.type === 'set') return map.set(`k${call.key}`, value)
  return call.type === 'delete' ? map.delete(`k${call.key}`) : map.clear()
}

function apply(expected: Map<string, number>, call: Call, value: number): void {
  if (call.type === 'setMany') for (const [key] of rangeOf(call, value)) expected.set(key, value)
  else if (call.type === 'set') expected.set(`k${call.key}`, value)
  else if (call.type === 'delete') expected.delete(`k${call.key}`)
  else expected.clear()
}

function rangeOf(
  { first, count }: { readonly first: number; readonly count: number },
  value: number,
): [string, number][] {
  return Array.from({ length: count }, (_, i) => [`k${first + i}`, value])
}
