import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openGrid } from 'gossipgrid'
import type { Grid, GridMap } from 'gossipgrid'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { MountedDisks } from './mounted-disk.ts'

const DISK_SIZE_MEBIBYTES = 64
const BALLAST_SIZE_BYTES = 20 * 1024 * 1024
const VALUE_SIZE_BYTES = 20_000

let disks: MountedDisks
let grid: Grid | undefined
let map: GridMap<Uint8Array>
/** The errors of the peer's `storage` events. */
let errors: unknown[]

beforeEach(async () => {
  disks = await MountedDisks.prepare()
  errors = []
})

afterEach(async () => {
  await grid?.close().catch(() => undefined)
  grid = undefined
  await disks.close()
})

async function open(directory: string): Promise<void> {
  const quiet = (): void => undefined
  const logger = { debug: quiet, info: quiet, warn: quiet, error: quiet }
  grid = await openGrid({ name: 'disk', directory, listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false, logger })
  grid.on('storage', ({ error }) => errors.push(error))
  map = grid.map<Uint8Array>('blobs')
}

async function reopen(directory: string): Promise<void> {
  await grid?.close()
  await open(directory)
}

async function write(n: number): Promise<void> {
  // Not compressible, so that tables take as much room as the log.
  const bytes = crypto.getRandomValues(new Uint8Array(VALUE_SIZE_BYTES))
  bytes[0] = n & 255
  await map.set(`${n}`, bytes)
}

/** Writes one after the other until one is refused. Returns its number. */
async function writeUntilRefused(from: number, code: string): Promise<number> {
  for (let n = from; ; n++) {
    try {
      await write(n)
    } catch (error) {
      expect(error).toMatchObject({ code })
      return n
    }
  }
}

function expectAll(count: number): void {
  expect(map.size).toBe(count)
  for (let n = 0; n < count; n++) expect(map.peek(`${n}`)?.[0]).toBe(n & 255)
}

/** Waits until the store accepts writes again and has everything that is in memory. */
async function untilStored(): Promise<void> {
  await expect.poll(() => grid!.status().storage.healthy, { timeout: 60_000, interval: 50 }).toBe(true)
  await expect.poll(() => grid!.status().backlog.undurableBytes, { timeout: 60_000, interval: 50 }).toBe(0)
}

const fileSystems: readonly (readonly [string, () => Promise<string>])[] = [
  ['tmpfs', async () => await disks.mountMemory('disk', DISK_SIZE_MEBIBYTES)],
  [
    'ext4',
    async () => {
      await disks.makeImage('disk', DISK_SIZE_MEBIBYTES)
      return await disks.mountImage('disk', '')
    },
  ],
]

it.each(fileSystems)(
  'a full disk (%s): sets reject, reads go on, and what stands in memory is stored when there is room',
  async (_name, mount) => {
    const mountPoint = await mount()
    const directory = join(mountPoint, 'grid')
    const ballasts = ['ballast 1', 'ballast 2'].map((name) => join(mountPoint, name))
    for (const ballast of ballasts) await writeFile(ballast, new Uint8Array(BALLAST_SIZE_BYTES))
    await open(directory)
    const { replicaId } = grid!.status()
    const refused = await writeUntilRefused(0, 'STORAGE_FULL')
    expect(refused).toBeGreaterThan(10)
    expect(grid!.status().storage).toMatchObject({ healthy: false, error: expect.stringContaining('full') })
    expect(errors).toEqual([expect.objectContaining({ code: 'STORAGE_FULL' })])
    for (let n = refused + 1; n < refused + 4; n++)
      await expect(write(n)).rejects.toMatchObject({ code: 'STORAGE_FULL' })
    expectAll(refused + 4)

    await rm(ballasts[0]!)
    await untilStored()
    await write(refused + 4)
    await reopen(directory)
    expectAll(refused + 5)
    expect(grid!.status()).toMatchObject({ replicaId, recoveries: [] })

    // Closed and opened while the disk is full. Opening may be refused, but nothing is lost.
    const again = await writeUntilRefused(refused + 5, 'STORAGE_FULL')
    await grid!.close()
    await open(directory).catch((error: unknown) => expect(error).toMatchObject({ code: 'STORAGE_FULL' }))
    await rm(ballasts[1]!)
    await reopen(directory)
    // The refused write was in memory only: it may be there or not.
    const { size } = map
    expect([again, again + 1]).toContain(size)
    expectAll(size)
    expect(grid!.status()).toMatchObject({ replicaId, recoveries: [] })
    await write(size)
  },
)

it('a disk that becomes read-only: sets reject, reads go on, and all acknowledged writes are there afterwards', async () => {
  await disks.makeImage('disk', DISK_SIZE_MEBIBYTES)
  const directory = join(await disks.mountImage('disk', 'errors=remount-ro'), 'grid')
  await open(directory)
  const { replicaId } = grid!.status()
  for (let n = 0; n < 50; n++) await write(n)
  await disks.breakFileSystem('disk')
  await expect(write(50)).rejects.toMatchObject({ code: 'STORAGE_FAILED' })
  await expect(write(51)).rejects.toMatchObject({ code: 'STORAGE_FAILED' })
  expect(grid!.status().storage).toMatchObject({ healthy: false, error: expect.stringContaining('cannot be created') })
  const error: unknown = expect.objectContaining({ code: 'STORAGE_NOT_WRITABLE' })
  expect(errors).toEqual([error, error])
  expectAll(52)
  await grid!.close()
  await expect(open(directory)).rejects.toMatchObject({ code: 'STORAGE_NOT_WRITABLE' })

  await disks.unmount('disk')
  await open(join(await disks.mountImage('disk', ''), 'grid'))
  expectAll(50)
  expect(grid!.status()).toMatchObject({ replicaId, recoveries: [] })
  await write(50)
})
