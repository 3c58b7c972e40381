import { levelStorage } from '@gossipgrid/storage'
import type { Grid } from 'gossipgrid'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { GridDirectories, equalEntries, reasonsOf } from './grid-directories.ts'

let directories: GridDirectories

beforeEach(async () => {
  directories = await GridDirectories.make()
})

afterEach(async () => {
  await directories.close()
})

async function write(grid: Grid, prefix: string, count: number): Promise<void> {
  const notes = grid.map('notes')
  for (let i = 0; i < count; i++) await notes.set(`${prefix} ${i}`, `${prefix} of ${count}`)
}

/** A backup of `grid` from before its last ten writes, made while it was closed. `other` has seen these writes. */
async function backedUp(): Promise<{ other: Grid; replicaId: string; peerId: string }> {
  const other = await directories.open('other')
  const first = await directories.open('grid', [other])
  await write(first, 'before', 20)
  await write(other, 'other', 20)
  await equalEntries(first, other)
  await first.close()
  await directories.copy('grid', 'backup')
  const grid = await directories.open('grid', [other])
  await write(grid, 'before', 5)
  await write(grid, 'after', 10)
  await grid.map('notes').delete('before 7')
  await equalEntries(grid, other)
  const { replicaId, peerId } = grid.status()
  await grid.close()
  return { other, replicaId, peerId }
}

it('a restored backup takes a new replica id, reports it, and gets back what the others have', async () => {
  const { other, replicaId, peerId } = await backedUp()
  const before = await equalEntries(other)
  await directories.copy('backup', 'grid')
  const grid = await directories.open('grid', [other])
  const heard: string[] = []
  grid.on('recovery', ({ reason }) => heard.push(reason))
  expect(await equalEntries(grid, other)).toEqual(before)
  expect(heard.join()).toMatch(/new replica id: .* has seen write \d+ of this replica id/)
  expect(reasonsOf(grid)).toBe(heard.join('; '))
  expect(grid.status().replicaId).not.toBe(replicaId)
  expect(grid.status().peerId).toBe(peerId)
  await write(grid, 'later', 5)
  await write(other, 'later', 3)
  await equalEntries(grid, other)
  const later = grid.status().replicaId
  await grid.close()
  const again = await directories.open('grid', [other])
  expect(again.status()).toMatchObject({ replicaId: later, recoveries: [] })
})

for (const [count, what] of [
  [4, 'fewer times than before'],
  [30, 'more often than before'],
] as const) {
  it(`a restored backup that is written to ${what}, before it meets a peer, keeps these writes and nothing diverges`, async () => {
    const { other, replicaId } = await backedUp()
    const before = await equalEntries(other)
    await directories.copy('backup', 'grid')
    const alone = await directories.open('grid')
    await write(alone, 'alone', count)
    await alone.map('notes').set('after 3', 'rewritten')
    expect(alone.status().replicaId).toBe(replicaId)
    await alone.close()
    const grid = await directories.open('grid', [other])
    const merged = await equalEntries(grid, other)
    const own = Array.from({ length: count }, (_, i) => [`alone ${i}`, `alone of ${count}`] as const)
    expect(merged).toEqual({ ...before, ...Object.fromEntries(own), 'after 3': 'rewritten' })
    expect(reasonsOf(grid)).toMatch(/new replica id/)
    expect(grid.status().replicaId).not.toBe(replicaId)
    const third = await directories.open('third', [other])
    expect(await equalEntries(third, other, grid)).toEqual(merged)
  })
}

it('a copy with a new identity runs beside the original, under a new replica id', async () => {
  const { other, replicaId, peerId } = await backedUp()
  await directories.copy('grid', 'copy')
  const storage = await levelStorage({ directory: directories.path('copy') })
  await storage.write([{ type: 'delete', key: 'identity' }], { durable: true })
  await storage.close()
  const grid = await directories.open('grid', [other])
  const copy = await directories.open('copy', [other])
  expect(copy.status().peerId).not.toBe(peerId)
  expect(reasonsOf(copy)).toContain(`new replica id: the stored state is that of peer id ${peerId}`)
  expect(copy.status().replicaId).not.toBe(replicaId)
  expect(grid.status()).toMatchObject({ peerId, replicaId, recoveries: [] })
  await Promise.all([write(grid, 'grid', 20), write(copy, 'copy', 20), write(other, 'both', 5), write(copy, 'both', 6)])
  const before = await equalEntries(grid, copy, other)
  expect(before).toMatchObject({ 'grid 19': 'grid of 20', 'copy 19': 'copy of 20' })
})

it('a copy that runs beside the original under one identity is reported, and nothing diverges or is lost', async () => {
  const { other, replicaId } = await backedUp()
  await directories.copy('grid', 'twin')
  const grid = await directories.open('grid')
  const twin = await directories.open('twin')
  expect(twin.status()).toMatchObject({ peerId: grid.peerId, replicaId })
  await Promise.all([write(grid, 'grid', 10), write(twin, 'twin', 10), write(grid, 'both', 3), write(twin, 'both', 4)])
  await grid.close()
  await twin.close()
  const first = await directories.open('grid', [other])
  await equalEntries(first, other)
  const second = await directories.open('twin', [other])
  await Promise.all([write(first, 'more grid', 10), write(second, 'more twin', 10)])
  const before = await equalEntries(first, second, other)
  for (const key of ['grid 9', 'twin 9', 'more grid 9', 'more twin 9']) expect(Object.keys(before)).toContain(key)
  expect(first.status().replicaId).not.toBe(second.status().replicaId)
  expect(reasonsOf(first) + reasonsOf(second)).toMatch(/new replica id/)
  const reasons = (): string => reasonsOf(first) + reasonsOf(second)
  await expect.poll(reasons, { timeout: 120_000 }).toMatch(/is its directory in use twice/)
}, 600_000)
