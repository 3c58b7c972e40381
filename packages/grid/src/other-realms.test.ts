import { runInNewContext } from 'node:vm'
import { afterEach, expect, it } from 'vitest'
import { TestGrids } from './rig/test-grids.ts'

let grids = new TestGrids()

afterEach(async () => {
  await grids.close()
  grids = new TestGrids()
})

/** Made as in a frame, a `vm` context or a test environment. */
function foreign<Value>(source: string): Value {
  return runInNewContext(`(${source})`) as Value
}

const card = (): { name: string; tags: string[]; at: Date; bytes: Uint8Array } =>
  foreign("{ name: 'Ada', tags: ['a'], at: new Date(0), bytes: Uint8Array.of(1) }")
const same = { name: 'Ada', tags: ['a'], at: new Date(0), bytes: Uint8Array.of(1) }

it('objects of another realm can be kept and sent wherever those of this one can', async () => {
  const grid = await grids.open()
  const [map, fields] = [grid.map('m'), grid.map<object>('f', { merge: 'fields' })]
  await map.set('k', card())
  await map.setMany(foreign<[string, unknown][]>("[['many', { a: 1 }]]"))
  await map.update('k2', () => foreign('[1]'))
  await map.transact((batch) => batch.set('k3', foreign('{ a: 1 }')))
  await fields.set('k', card())
  expect([map.peek('k'), map.peek('many'), map.peek('k2'), map.peek('k3')]).toEqual([same, { a: 1 }, [1], { a: 1 }])
  expect(fields.peek('k')).toEqual(same)
  const set = grid.set('s')
  await set.add(card())
  await set.add({ b: 1, a: [new Date(1)] })
  expect([set.holds(same), set.holds(foreign('{ a: [new Date(1)], b: 1 }')), set.size]).toEqual([true, true, 2])
  const heard: unknown[] = []
  grid.topic('t').on('message', ({ value }) => heard.push(value))
  await grid.topic('t').publish(card())
  grid.presence().set(card())
  expect([...heard, grid.presence().get(grid.peerId)]).toEqual([same, same])
})

it('options and signals of another realm are taken', async () => {
  const grid = await grids.open()
  // A class of another realm has the same shape, and nothing else in common.
  const signal = foreign<AbortSignal>(
    '({ aborted: false, reason: undefined, addEventListener() {}, removeEventListener() {} })',
  )
  const map = grid.map<number>('m', foreign('{ ttlMs: 100000 }'))
  await map.set('k', 1, Object.assign(foreign<object>('{ copies: 1 }'), { signal }))
  const loop = map.changes(Object.assign(foreign<object>('{ initial: true }'), { signal }))
  expect((await loop.next()).value).toMatchObject({ key: 'k', value: 1 })
  expect(map.expiresAt('k')).toBeInstanceOf(Date)
})
