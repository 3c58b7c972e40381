import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { Storage } from '@gossipgrid/core'
import { levelStorage } from '@gossipgrid/storage'
import type { LevelHealth } from '@gossipgrid/storage'
import { MountedDisks } from './mounted-disk.ts'

const BLOB_SIZE_BYTES = 20_000
const DISK_SIZE_MEBIBYTES = 64
// The freed room must let LevelDB merge tables, which needs as much room as the tables take.
const BALLAST_SIZE_BYTES = 20 * 1024 * 1024

let disks: MountedDisks
let mountPoint: string
let storage: (Storage & LevelHealth) | undefined

beforeEach(async () => {
  disks = await MountedDisks.prepare()
})

afterEach(async () => {
  await storage?.close()
  storage = undefined
  await disks?.close()
})

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

function key(n: number): string {
  return `n${String(n).padStart(6, '0')}`
}

async function write(n: number): Promise<void> {
  // Not compressible, so that tables take as much room as the log.
  const bytes = new Uint8Array(BLOB_SIZE_BYTES)
  crypto.getRandomValues(bytes)
  bytes[0] = n & 255
  await storage?.write([{ type: 'put', key: key(n), bytes }], { durable: true })
}

/** Writes until the disk is full. Returns the number of all acknowledged blobs. */
async function writeUntilFull(from: number): Promise<number> {
  for (let n = from; ; n++) {
    try {
      await write(n)
    } catch (error) {
      expect(error).toMatchObject({ code: 'STORAGE_FULL', message: expect.stringContaining('full') })
      return n
    }
  }
}

async function expectAll(count: number): Promise<void> {
  for (let n = 0; n < count; n++) expect((await storage?.read(key(n)))?.[0]).toBe(n & 255)
}

for (const [name, mount] of fileSystems) {
  it(`a full disk (${name}) refuses writes, loses nothing and takes writes again when there is room`, async () => {
    mountPoint = await mount()
    const directory = join(mountPoint, 'store')
    const ballasts = [join(mountPoint, 'ballast-1'), join(mountPoint, 'ballast-2')] as const
    for (const ballast of ballasts) await writeFile(ballast, new Uint8Array(BALLAST_SIZE_BYTES))
    storage = await levelStorage({ directory })
    let count = await writeUntilFull(0)
    expect(count).toBeGreaterThan(10)

    // Still full: it keeps refusing writes and can be read.
    for (let attempt = 0; attempt < 3; attempt++) {
      await expect(write(count)).rejects.toMatchObject({ code: 'STORAGE_FULL' })
      expect(storage.health().lastError?.code).toBe('STORAGE_FULL')
    }
    await expectAll(count)

    await rm(ballasts[0])
    await write(count++)
    expect(storage.health().lastError).toBeUndefined()
    await expectAll(count)
    count = await writeUntilFull(count)
    await expectAll(count)

    // Starting on a full disk may be refused, but then no directory is set aside and nothing is lost.
    await storage.close()
    storage = undefined
    const again = await levelStorage({ directory }).catch((error: unknown) => {
      expect(error).toMatchObject({ code: 'STORAGE_FULL' })
      return undefined
    })
    await again?.close()
    await rm(ballasts[1])
    storage = await levelStorage({ directory })
    expect(storage.health()).toMatchObject({ setAside: undefined, droppedBytes: 0 })
    await expectAll(count)
    await write(count++)
    await expectAll(count)
  })
}

it('a disk that becomes read-only refuses writes as not writable, and accepts them again when it is writable', async () => {
  await disks.makeImage('disk', DISK_SIZE_MEBIBYTES)
  mountPoint = await disks.mountImage('disk', '')
  const directory = join(mountPoint, 'store')
  storage = await levelStorage({ directory })
  await write(0)
  await storage.close()
  await disks.remount('disk', 'ro')
  await expect(levelStorage({ directory })).rejects.toMatchObject({ code: 'STORAGE_NOT_WRITABLE' })
  await disks.remount('disk', 'rw')
  storage = await levelStorage({ directory })
  await expectAll(1)
  await write(1)
})
