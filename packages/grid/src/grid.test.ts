import { afterEach, describe, expect, it } from 'vitest'
import type { Grid } from './grid.ts'
import { openGrid } from './open-grid.ts'
import { TestGrids, diskInMemory, until } from './rig/test-grids.ts'
import { VERSION } from './version.ts'
import manifest from '../package.json' with { type: 'json' }

let grids = new TestGrids()

afterEach(async () => {
  await grids.close()
  grids = new TestGrids()
})

describe('a grid', () => {
  it('brings peers together that know only one of them', async () => {
    const opened = [await grids.open(), await grids.open(), await grids.open()]
    for (const grid of opened.slice(1)) expect(await grid.ready()).toEqual({ alone: false })
    await until(
      () => opened.every((grid) => grid.members.filter((member) => member.connected).length === 2),
      'all meet',
    )
    await opened[2]!.map<number>('m').set('k', 1)
    await until(() => opened.every((grid) => grid.map('m').peek('k') === 1), 'all have it')
    await until(() => opened.every((grid) => grid.status().collections[0]!.converged), 'all know that all have it')
    const [first, ...others] = opened.map((grid) => grid.status().collections[0]!.fingerprint)
    expect(others).toEqual([first, first])
  })

  it('goes on through a split and is whole again after it', async () => {
    const opened = [await grids.open(), await grids.open(), await grids.open()]
    await until(
      () => opened.every((grid) => grid.members.filter((member) => member.connected).length === 2),
      'all meet',
    )
    grids.split([0], [1, 2])
    await opened[0]!.map<string>('m').set('left', 'l')
    await opened[1]!.map<string>('m').set('right', 'r')
    await until(() => opened[2]!.map('m').peek('right') === 'r', 'the right side goes on')
    expect(opened[0]!.map('m').peek('right')).toBeUndefined()
    grids.heal()
    await until(() => opened.every((grid) => grid.map('m').size === 2), 'all have both')
  })

  it('keeps its data, and takes a new replica id when it opens under another identity', async () => {
    const storage = diskInMemory()
    const before = await grids.open({ storage })
    const { replicaId } = before.status()
    await before.map<number>('m').set('k', 1)
    await before.map<number>('m').set('gone', 1)
    await before.map<number>('m').delete('gone')
    await before.close()
    const after = await grids.open({ storage })
    expect(after.map('m').peek('k')).toBe(1)
    expect(after.map('m').size).toBe(1)
    // Another peer on the same data is a copied directory: two peers must not write under one replica id.
    expect(after.peerId).not.toBe(before.peerId)
    expect(after.status().replicaId).not.toBe(replicaId)
  })

  it('is ready and alone when there are no other peers and no addresses to join', async () => {
    const grid = await grids.open()
    expect(await grid.ready()).toEqual({ alone: true })
  })

  it('ready() ends with its signal and when the grid closes', async () => {
    const grid = await grids.open()
    await expect(grid.ready({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORTED' })
    const waiting = grid.ready()
    await grid.close()
    await expect(waiting).rejects.toMatchObject({ code: 'CLOSED' })
  })

  it('reports members that come and go', async () => {
    const first = await grids.open()
    const states: string[] = []
    first.on('member', (member) => states.push(`${member.peerId} ${member.state}`))
    const second = await grids.open()
    await until(() => states.includes(`${second.peerId} alive`), 'it was seen to come')
    await second.close()
    await until(() => states.includes(`${second.peerId} gone`), 'it was seen to go')
    expect(first.members.find((member) => member.peerId === second.peerId)).toMatchObject({
      state: 'gone',
      connected: false,
    })
  })

  it('refuses everything with CLOSED after closing, and closing again does nothing', async () => {
    const grid = await grids.open()
    const map = grid.map<number>('m')
    await map.set('k', 1)
    await Promise.all([grid.close(), grid.close()])
    await grid.close()
    await expect(map.set('k', 2)).rejects.toMatchObject({ code: 'CLOSED' })
    await expect(map.get('k')).rejects.toMatchObject({ code: 'CLOSED' })
    expect(() => map.changes()).toThrow(expect.objectContaining({ code: 'CLOSED' }))
    expect(() => grid.map('other')).toThrow(expect.objectContaining({ code: 'CLOSED' }))
  })

  it('can be disposed of', async () => {
    const grid = await grids.open()
    await grid[Symbol.asyncDispose]()
    expect(() => grid.map('m')).toThrow(expect.objectContaining({ code: 'CLOSED' }))
  })

  it('returns the same map for the same name, and refuses invalid names', async () => {
    const grid = await grids.open()
    expect(grid.map('m')).toBe(grid.map('m'))
    for (const name of ['', 'x'.repeat(129), 'a\u0000b', '\ud800', 7]) {
      expect(() => grid.map(name as string)).toThrow(expect.objectContaining({ code: 'INVALID_NAME' }))
    }
    for (const name of ['__proto__', '../x', 'CON', 'a b']) expect(grid.map(name).size).toBe(0)
  })

  it('lists the collections that it knows, also those that only other peers have opened, without their figures', async () => {
    const [first, second] = [await grids.open(), await grids.open()]
    await first.map('users').set('ada', 1)
    await first.map('profiles', { merge: 'fields' }).set('ada', { name: 'Ada' })
    await first.counter('visits').increment()
    first.set('tags')
    const kinds = { users: 'map', profiles: 'fields', visits: 'counter' }
    const listed = (grid: Grid): object => Object.fromEntries(grid.collections().map(({ name, kind }) => [name, kind]))
    expect(listed(first)).toMatchObject({ ...kinds, tags: 'set' })
    await until(() => second.collections().length >= 3, 'the other peer has what was written')
    expect(listed(second)).toMatchObject(kinds)
    for (const grid of [first, second]) {
      const inStatus = grid.status().collections.map(({ name, kind, drops }) => ({ name, kind, drops }))
      expect(grid.collections()).toEqual(inStatus)
    }
  })

  it('carries the version of its package', () => {
    expect(VERSION).toBe(manifest.version)
  })
})

describe('opening', () => {
  it('refuses bad options with a code, and leaves nothing open', async () => {
    await expect(openGrid({ name: '' })).rejects.toMatchObject({ code: 'INVALID_NAME' })
    await expect(openGrid({ name: 'x', weight: -1 })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    await expect(openGrid({ name: 'x', valueSizeMaxBytes: 0 })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    // 64 characters that other peers would count as 128, and half of one.
    for (const zone of ['\u{1f600}'.repeat(64), '\ud800', 'a\nb', 'z'.repeat(65)]) {
      await expect(openGrid({ name: 'x', zone })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    }
    await expect(openGrid({ name: 'x', signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORTED' })
    await expect(openGrid({ name: 'x', listen: ['nonsense'] })).rejects.toMatchObject({ code: 'NETWORK_BAD_ADDRESS' })
    await expect(openGrid({ name: 'x', join: ['/ip4/1.2.3'] })).rejects.toMatchObject({ code: 'NETWORK_BAD_ADDRESS' })
  })
})
