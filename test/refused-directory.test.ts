import { mkdir, rm, writeFile } from 'node:fs/promises'
import { encodeValue } from '@gossipgrid/core'
import { levelStorage } from '@gossipgrid/storage'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TrialProcess } from './crash-trial/trial-process.ts'
import { RUNTIMES } from './runtimes/runtime.ts'
import { GridDirectories } from './grid-directories.ts'

let directories: GridDirectories

beforeEach(async () => {
  directories = await GridDirectories.make()
})

afterEach(async () => {
  await directories.close()
})

/** All blobs of a closed store. */
async function blobsOf(directory: string): Promise<Record<string, Uint8Array | undefined>> {
  const storage = await levelStorage({ directory })
  const blobs: Record<string, Uint8Array | undefined> = {}
  for (const key of await storage.list('')) blobs[key] = await storage.read(key)
  await storage.close()
  return blobs
}

describe.each(RUNTIMES)('on %s a grid is refused, with a code and advice,', (runtime) => {
  async function refusal(directory: string): Promise<unknown> {
    const peer = new TrialProcess(runtime, directory, 0)
    try {
      return await peer.until('a refusal', () => peer.refused)
    } finally {
      peer.abandon()
    }
  }

  it('a directory that another peer has open, and that peer is not disturbed', async () => {
    const grid = await directories.open('grid')
    await grid.map('notes').set('a', 1)
    const refused = await refusal(directories.path('grid'))
    expect(refused).toMatchObject({
      code: 'STORAGE_IN_USE',
      message: expect.stringContaining('Close the peer that uses it'),
    })
    await grid.map('notes').set('b', 2)
    await grid.close()
    const again = await directories.open('grid')
    expect(again.map('notes').size).toBe(2)
    expect(again.status().recoveries).toEqual([])
  })

  it('a path that is a file, is below one, or is not writable', async () => {
    await mkdir(directories.path(''), { recursive: true })
    await writeFile(directories.path('file'), 'not a directory')
    for (const path of [directories.path('file'), directories.path('file/grid'), '/proc/gossipgrid']) {
      expect(await refusal(path)).toMatchObject({
        code: 'STORAGE_NOT_WRITABLE',
        message: expect.stringMatching(/Check its path, owner and permissions/),
      })
    }
    await rm(directories.path('file'))
  })

  it('a directory of a later version, which stays as it is', async () => {
    const grid = await directories.open('grid')
    await grid.map('notes').set('a', 1)
    await grid.close()
    const storage = await levelStorage({ directory: directories.path('grid') })
    const meta = encodeValue({ format: 99, whatever: 'it may hold' }, 1000)
    // The program that is refused opens it as another grid.
    const noName = { type: 'delete', key: 'grid-name' } as const
    await storage.write([{ type: 'put', key: 'meta', bytes: meta }, noName], { durable: true })
    await storage.close()
    const before = await blobsOf(directories.path('grid'))
    expect(Object.keys(before)).toContain('meta')
    expect(await refusal(directories.path('grid'))).toMatchObject({
      code: 'STORAGE_FORMAT',
      message: expect.stringMatching(/format 99 and this version reads up to 4: update gossipgrid, or choose another/),
    })
    expect(await blobsOf(directories.path('grid'))).toEqual(before)
  })
})
