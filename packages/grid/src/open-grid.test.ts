import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { backupBlobs, restoreBlobs } from './backup.ts'
import type { Grid } from './grid.ts'
import { openGrid } from './open-grid.ts'
import type { OpenGridOptions } from './open-grid-options.ts'
import { until } from './rig/test-grids.ts'

const listen = ['/ip4/127.0.0.1/tcp/0']
let directory = ''
let grids: Grid[] = []

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gossipgrid-'))
})

afterEach(async () => {
  await Promise.all(grids.map((grid) => grid.close()))
  grids = []
  await rm(directory, { recursive: true, force: true })
})

async function open(options: Partial<OpenGridOptions>): Promise<Grid> {
  const logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
  const grid = await openGrid({ name: directory.slice(-20), listen, mdns: false, logger, ...options })
  grids.push(grid)
  return grid
}

describe('a grid on real ports', () => {
  it('shares what is written and keeps it on disk, with its identity and replica id', async () => {
    const first = await open({ directory: join(directory, 'first') })
    const second = await open({ directory: join(directory, 'second'), join: first.addresses })
    expect(await second.ready()).toEqual({ alone: false })
    expect(await first.map<string>('m').set('k', 'v', { copies: 2 })).toMatchObject({ durable: true, copies: 2 })
    expect(second.map('m').peek('k')).toBe('v')
    const before = { peerId: second.peerId, replicaId: second.status().replicaId }
    await second.close()
    const again = await open({ directory: join(directory, 'second') })
    expect(again.map('m').peek('k')).toBe('v')
    expect({ peerId: again.peerId, replicaId: again.status().replicaId }).toEqual(before)
  })

  it('a directory that is open elsewhere is refused', async () => {
    await open({ directory: join(directory, 'first') })
    await expect(open({ directory: join(directory, 'first') })).rejects.toMatchObject({ code: 'STORAGE_IN_USE' })
  })

  it('a directory of a grid of another name is refused, and keeps what it has; a restored backup goes under any name', async () => {
    const first = await open({ name: 'one', directory: join(directory, 'first') })
    await first.map('m').set('k', 'v')
    await restoreBlobs(backupBlobs(first), join(directory, 'restored'))
    await first.close()
    await expect(open({ name: 'two', directory: join(directory, 'first') })).rejects.toMatchObject({
      code: 'STORAGE_OTHER_GRID',
      message: expect.stringContaining("the data of grid 'one', and was to be opened as 'two'") as string,
    })
    const again = await open({ name: 'one', directory: join(directory, 'first') })
    expect(again.peerId).toBe(first.peerId)
    expect(again.map('m').peek('k')).toBe('v')
    const restored = await open({ name: 'two', directory: join(directory, 'restored') })
    expect(restored.map('m').peek('k')).toBe('v')
    const [recovery] = restored.status().recoveries
    expect(recovery?.reason).toContain(`the store was made from a backup of peer ${first.peerId}`)
  })

  it('a port that is taken is refused, and the directory is free again', async () => {
    const first = await open({})
    const port = /tcp\/(\d+)/.exec(first.addresses[0]!)![1]!
    const taken = open({ directory: join(directory, 'second'), listen: [`/ip4/127.0.0.1/tcp/${port}`] })
    await expect(taken).rejects.toMatchObject({ code: 'NETWORK_PORT_TAKEN' })
    await open({ directory: join(directory, 'second') })
  })

  it('grids of other names on the same addresses never meet', async () => {
    const first = await open({ name: 'one' })
    const other = await open({ name: 'two', join: first.addresses })
    await new Promise((resolve) => setTimeout(resolve, 500))
    expect(other.members.filter((member) => !member.self)).toEqual([])
    expect(first.members.filter((member) => !member.self)).toEqual([])
  })

  it('a backlog too large for broadcast arrives over streams', async () => {
    const first = await open({ directory: join(directory, 'first') })
    const second = await open({ join: first.addresses })
    await second.ready()
    const value = 'x'.repeat(1000)
    const map = first.map<string>('m')
    await Promise.all(Array.from({ length: 5000 }, (_, i) => map.set(`k${i}`, value)))
    await until(() => second.map('m').size === 5000, 'all have come')
    await until(
      () => second.status().collections[0]!.fingerprint === first.status().collections[0]!.fingerprint,
      'equal',
    )
  })
})

describe('who can reach a grid', () => {
  it('is never decided by a mistake: such options are refused before anything is made', async () => {
    const kept = join(directory, 'kept')
    const mistakes = [
      { secret: '' },
      { secret: ' \n' },
      { secret: undefined },
      { secret: null },
      { secret: [undefined] },
      { secret: 'x'.repeat(32), open: true },
      { open: 'yes' },
      { listen: ['/ip4/0.0.0.0/tcp/0'] },
      { listen: [...listen, '/ip4/192.168.1.7/tcp/0/ws'] },
      { announce: ['/dns4/example.org/tcp/443/tls/ws'] },
      { dirctory: kept },
      { secrets: 'x'.repeat(32) },
    ] as unknown as Partial<OpenGridOptions>[]
    for (const mistake of mistakes) {
      const opening = open({ directory: kept, ...mistake })
      await expect(opening, JSON.stringify(mistake)).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    }
    await expect(open({ dirctory: kept } as object)).rejects.toThrow("did you mean 'directory'?")
    expect(await readdir(directory)).toEqual([])
  })

  it('is this machine alone without a secret, and one line says how to share', async () => {
    const said: string[] = []
    const warn = (line: string): void => void said.push(line)
    const ignore = (): void => undefined
    const grid = await openGrid({
      name: directory.slice(-20),
      mdns: false,
      logger: { debug: ignore, info: ignore, error: ignore, warn },
    })
    grids.push(grid)
    expect(grid.addresses.length).toBeGreaterThan(1)
    for (const address of grid.addresses) expect(address).toMatch(/^\/ip4\/127\.0\.0\.1\//)
    expect(said).toEqual([expect.stringContaining('only programs on this machine can join')])
    expect(said[0]).toMatch(/secret.*open: true/)
    const other = await open({ join: grid.addresses })
    expect(await other.ready()).toEqual({ alone: false })
  })

  it('is every peer that knows its name if it is open, even if a variable for a secret is not set', async () => {
    for (const options of [{ open: true }, { open: true, secret: undefined } as unknown as { open: true }]) {
      const first = await open({ ...options, name: 'open-to-all' })
      const second = await open({ name: 'open-to-all', join: first.addresses })
      expect(await second.ready()).toEqual({ alone: false })
    }
  })
})
