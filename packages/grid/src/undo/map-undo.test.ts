import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Grid } from '../grid.ts'
import { TestGrids, diskInMemory, until } from '../rig/test-grids.ts'

let grids: TestGrids

beforeEach(() => {
  grids = new TestGrids()
})

afterEach(async () => {
  vi.restoreAllMocks()
  await grids.close()
})

const EACH = { captureTimeoutMs: 0 }

async function pair(): Promise<[Grid, Grid]> {
  const [a, b] = [await grids.open(), await grids.open()]
  await b.ready()
  return [a, b]
}

describe('undo', () => {
  it('takes back sets, deletes and batches, step by step, and redo makes them again', async () => {
    const map = (await grids.open()).map<number>('m')
    await map.set('before', 0)
    const undo = await map.undoManager(EACH)
    expect([undo.canUndo, undo.canRedo, await undo.undo(), await undo.redo()]).toEqual([
      false,
      false,
      undefined,
      undefined,
    ])
    await map.set('a', 1)
    await map.set('a', 2)
    await map.transact((batch) => {
      batch.set('b', 1)
      batch.delete('a')
      batch.set('before', 1)
    })
    const states = [{ before: 0 }, { before: 0, a: 1 }, { before: 0, a: 2 }, { before: 1, b: 1 }]
    const now = (): object => Object.fromEntries(map.peekEntries())
    for (const state of states.slice(0, 3).toReversed()) {
      expect(await undo.undo()).toMatchObject({ copies: 0, token: expect.any(String) as string })
      expect(now()).toEqual(state)
    }
    expect([undo.canUndo, undo.canRedo]).toEqual([false, true])
    for (const state of states.slice(1)) {
      await undo.redo()
      expect(now()).toEqual(state)
    }
    await undo.undo()
    await map.set('c', 3)
    expect(undo.canRedo).toBe(false)
    expect(map.peek('before')).toBe(0)
  })

  it('takes writes that follow each other closely as one step, until capturing is stopped', async () => {
    let aheadMs = 0
    const clock = performance.now.bind(performance)
    vi.spyOn(performance, 'now').mockImplementation(() => clock() + aheadMs)
    const map = (await grids.open()).map<number>('m')
    const undo = await map.undoManager()
    for (const value of [1, 2, 3]) await map.set('a', value)
    aheadMs += 600
    await map.set('a', 4)
    undo.stopCapturing()
    await map.set('b', 1)
    await undo.undo()
    expect(map.peekEntries()).toEqual([['a', 4]])
    await undo.undo()
    expect(map.peek('a')).toBe(3)
    await undo.undo()
    expect(map.size).toBe(0)
    await undo.redo()
    expect(map.peek('a')).toBe(3)
  })

  it('leaves alone what another peer has written since, and goes on with the step before', async () => {
    const [a, b] = await pair()
    const [map, other] = [a.map<number>('m'), b.map<number>('m')]
    const undo = await map.undoManager(EACH)
    await map.set('a', 1)
    await map.set('b', 1)
    await until(() => other.size === 2, 'they came')
    await other.set('b', 2)
    await until(() => map.peek('b') === 2, 'it came back')
    await undo.undo()
    // The last step was overwritten, so the one before is undone.
    expect(map.peekEntries()).toEqual([['b', 2]])
    await map.set('b', 3)
    await undo.undo()
    expect(map.peek('b')).toBe(2)
    expect(await undo.undo()).toBeUndefined()
    expect(map.peek('b')).toBe(2)
  })

  it('goes back to what another peer wrote between two own writes, and no further', async () => {
    const [a, b] = await pair()
    const [map, other] = [a.map<number>('m'), b.map<number>('m')]
    const undo = await map.undoManager(EACH)
    await map.set('a', 1)
    await until(() => other.peek('a') === 1, 'it came')
    await other.set('a', 5)
    await until(() => map.peek('a') === 5, 'it came back')
    await map.set('a', 2)
    await map.set('a', 3)
    await undo.undo()
    await undo.undo()
    expect(map.peek('a')).toBe(5)
    expect(await undo.undo()).toBeUndefined()
    expect(map.peek('a')).toBe(5)
    await undo.redo()
    await undo.redo()
    expect(map.peek('a')).toBe(3)
  })

  it('of writes of other peers does nothing, and no write of this one but in its scope', async () => {
    const [a, b] = await pair()
    const map = a.map<number>('m')
    const undo = await map.undoManager({ ...EACH, prefix: 'mine/' })
    await b.map<number>('m').set('mine/1', 1)
    await until(() => map.size === 1, 'it came')
    await map.set('other', 1)
    expect(undo.canUndo).toBe(false)
    await map.set('mine/2', 1)
    await undo.undo()
    expect(map.peekEntries().map(([key]) => key)).toEqual(['mine/1', 'other'])
  })

  it('in a map with fields goes field by field', async () => {
    const [a, b] = await pair()
    const [map, other] = [a, b].map((grid) => grid.map<object>('f', { merge: 'fields' }))
    await map!.set('k', { x: 1, y: 1 })
    await until(() => other!.size === 1, 'it came')
    const undo = await map!.undoManager(EACH)
    await map!.set('k', { x: 2, y: 2, z: 2 })
    await until(() => JSON.stringify(other!.peek('k'))?.includes('2') === true, 'it came')
    await other!.update('k', (value) => ({ ...value, y: 3 }))
    await until(() => (map!.peek('k') as { y: number }).y === 3, 'it came back')
    await undo.undo()
    expect(map!.peek('k')).toEqual({ x: 1, y: 3 })
    await undo.redo()
    expect(map!.peek('k')).toEqual({ x: 2, y: 3, z: 2 })
  })

  it('brings back when an entry expires, and not what has expired', async () => {
    const map = (await grids.open()).map<number>('m')
    await map.set('a', 1, { ttlMs: 3_600_000 })
    const expiresAt = map.expiresAt('a')
    const undo = await map.undoManager(EACH)
    await map.set('a', 2)
    await undo.undo()
    expect([map.peek('a'), map.expiresAt('a')]).toEqual([1, expiresAt])
    await map.set('b', 1, { ttlMs: 10 })
    await until(() => map.size === 1, 'it is gone')
    await undo.undo()
    expect(await undo.redo()).toBeUndefined()
    expect(map.peek('b')).toBeUndefined()
  })

  it('of thousands of entries goes in pieces', async () => {
    const map = (await grids.open()).map<number>('m')
    await map.set('e5', -1)
    const undo = await map.undoManager({ captureTimeoutMs: 60_000 })
    await map.setMany(Array.from({ length: 3000 }, (_, i) => [`e${i}`, i] as const))
    await undo.undo()
    expect(map.peekEntries()).toEqual([['e5', -1]])
    await undo.redo()
    expect(map.size).toBe(3000)
  })

  it('is durable as other writes are, and reaches other peers', async () => {
    const [a, b] = [await grids.open({ storage: diskInMemory() }), await grids.open()]
    await b.ready()
    const undo = await a.map<number>('m').undoManager()
    await a.map<number>('m').set('a', 1)
    const receipt = await undo.undo({ copies: { peers: 2 } })
    expect(receipt).toMatchObject({ durable: true, peers: 2 })
    expect(b.map('m').size).toBe(0)
    await expect(undo.redo({ copies: 0 })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    expect(undo.canRedo).toBe(true)
  })

  it('tells a listener when a button changes, forgets on demand, and ends', async () => {
    const grid = await grids.open()
    const map = grid.map<number>('m')
    const undo = await map.undoManager(EACH)
    const seen: unknown[] = []
    undo.on('change', ({ canUndo, canRedo }) => seen.push([canUndo, canRedo]))
    await map.set('a', 1)
    await undo.undo()
    await undo.redo()
    undo.clear()
    expect(seen).toEqual([
      [true, false],
      [false, true],
      [true, false],
      [false, false],
    ])
    undo.close()
    await map.set('a', 2)
    expect(undo.canUndo).toBe(false)
    await expect(undo.undo()).rejects.toMatchObject({ code: 'CLOSED' })
    const open = await map.undoManager()
    await grid.close()
    await expect(open.undo()).rejects.toMatchObject({ code: 'CLOSED' })
    await expect(map.undoManager()).rejects.toMatchObject({ code: 'CLOSED' })
  })

  it('keeps a thousand steps, and memory stays bounded', async () => {
    const map = (await grids.open()).map<number>('m')
    const undo = await map.undoManager(EACH)
    for (let i = 0; i < 1500; i++) void map.set(`k${i}`, i)
    let count = 0
    while ((await undo.undo()) !== undefined) count += 1
    expect([count, map.size]).toEqual([1000, 500])
  })

  it.each([{ prefix: 5 }, { captureTimeoutMs: -1 }, { captureTimeoutMs: 0.5 }, { capture: 1 }, null])(
    'with %j is refused',
    async (options) => {
      const map = (await grids.open()).map('m')
      await expect(map.undoManager(options as never)).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    },
  )
})

describe('whatever is written, by two peers', () => {
  const key = fc.constantFrom('a', 'b')
  const action = fc.oneof(
    { weight: 3, arbitrary: fc.record({ by: fc.constant('me'), key, value: fc.option(fc.nat({ max: 9 })) }) },
    { weight: 2, arbitrary: fc.record({ by: fc.constant('other'), key, value: fc.option(fc.nat({ max: 9 })) }) },
    { weight: 3, arbitrary: fc.record({ by: fc.constant('undo') }) },
    { weight: 2, arbitrary: fc.record({ by: fc.constant('redo') }) },
  )

  it('undo and redo never change an entry that another peer wrote last, but where this peer wrote over it before', async () => {
    const [a, b] = await pair()
    let run = 0
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 25 }), async (actions) => {
        const name = `m${run++}`
        const [map, other] = [a.map<number>(name), b.map<number>(name)]
        const undo = await map.undoManager(EACH)
        // Of each key: the states that this peer wrote over, which undo may bring back.
        const last = new Map<string, string>()
        const show = (): Record<string, number> => Object.fromEntries(map.peekEntries())
        for (const each of actions) {
          const before = show()
          if (each.by === 'undo') await undo.undo()
          else if (each.by === 'redo') await undo.redo()
          else {
            const { key: written, value } = each as { key: string; value: number | null }
            const target = each.by === 'me' ? map : other
            // A delete of what is not there writes nothing.
            const receipt = await (value === null ? target.delete(written) : target.set(written, value))
            if (receipt === undefined) continue
            last.set(written, each.by)
            await (each.by === 'me' ? b : a).reached(receipt.token)
            continue
          }
          const after = show()
          for (const touched of ['a', 'b']) {
            if (last.get(touched) === 'other') expect(after[touched], touched).toBe(before[touched])
          }
          await until(() => JSON.stringify(other.peekEntries()) === JSON.stringify(map.peekEntries()), 'they are equal')
        }
        undo.close()
      }),
      { numRuns: 40 },
    )
  })

  it('undoing all steps of one peer alone leads back to the start, and redoing all of them to the end', async () => {
    const map = (await grids.open()).map<object>('m', { merge: 'fields' })
    const write = fc.tuple(key, fc.option(fc.dictionary(fc.constantFrom('x', 'y'), fc.nat({ max: 3 }))))
    await fc.assert(
      fc.asyncProperty(fc.array(write, { maxLength: 20 }), fc.nat({ max: 20 }), async (writes, turn) => {
        const start = map.peekEntries()
        const undo = await map.undoManager(EACH)
        for (const [written, value] of writes) await (value === null ? map.delete(written) : map.set(written, value))
        const end = map.peekEntries()
        for (let i = 0; i < turn && undo.canUndo; i++) await undo.undo()
        for (let i = 0; i < turn && undo.canRedo; i++) await undo.redo()
        expect(map.peekEntries()).toEqual(end)
        while (undo.canUndo) await undo.undo()
        expect(map.peekEntries()).toEqual(start)
        while (undo.canRedo) await undo.redo()
        expect(map.peekEntries()).toEqual(end)
        undo.close()
      }),
      { numRuns: 60 },
    )
  })
})
