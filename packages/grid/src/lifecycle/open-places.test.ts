import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { memoryStorage } from '@gossipgrid/storage'
import type { Grid } from '../grid.ts'
import { openGrid } from '../open-grid.ts'
import type { OpenGridOptions } from '../open-grid-options.ts'
import { claimPlace } from './open-places.ts'
import { Teardown } from './teardown.ts'

const SILENT = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
let directory: string
let opened: Grid[] = []

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gossipgrid-places-'))
})

afterEach(async () => {
  await Promise.all(opened.map((grid) => grid.close()))
  opened = []
  await rm(directory, { recursive: true, force: true })
})

async function open(options: Partial<OpenGridOptions> = {}): Promise<Grid> {
  const grid = await openGrid({
    ...{ name: 'place', directory: join(directory, 'grid'), logger: SILENT },
    ...{ listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false },
    ...options,
  })
  opened.push(grid)
  return grid
}

it('a grid that is open is not opened a second time, and the error says what to do', async () => {
  await open()
  const again = [open(), open({ directory: relative(process.cwd(), join(directory, 'grid')) })]
  for (const opening of again) {
    await expect(opening).rejects.toMatchObject({
      code: 'STORAGE_IN_USE',
      message: expect.stringMatching(/is already open here: use that grid.*import\.meta\.hot\.dispose/) as string,
    })
  }
})

it('one that is being closed is waited for, also when it was only being opened', async () => {
  const first = await open()
  await first.map('m').set('k', 1)
  const closing = first.close()
  const second = await open()
  expect(second.map('m').peek('k')).toBe(1)
  await closing
  await second.close()
  // As an effect of React's strict mode does that closes what it opened.
  const opening = open()
  void opening.then((grid) => grid.close())
  const third = await open()
  expect(third.map('m').peek('k')).toBe(1)
})

it('one that could not be opened leaves the place to the next one', async () => {
  await expect(open({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORTED' })
  await expect(open({ network: () => Promise.reject(new Error('no network')) })).rejects.toThrow('no network')
  await open()
})

it('a wait ends with its signal', async () => {
  const stop = new AbortController()
  const teardown = new Teardown()
  const done = await claimPlace('somewhere', teardown, undefined)
  const waiting = claimPlace('somewhere', new Teardown(), stop.signal)
  stop.abort('enough')
  await expect(waiting).rejects.toMatchObject({ code: 'ABORTED', cause: 'enough' })
  done()
  await teardown.close()
  const next = new Teardown()
  await claimPlace('somewhere', next, undefined)
  await next.close()
})

it('other directories, memory and stores of an application are places of their own', async () => {
  const options = [
    {},
    { directory: join(directory, 'other') },
    { storage: memoryStorage() },
    { storage: memoryStorage() },
  ]
  const grids = await Promise.all(options.map((option) => open(option)))
  const inMemory = await Promise.all(
    [1, 2].map(() => openGrid({ name: 'place', listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false, logger: SILENT })),
  )
  opened.push(...inMemory)
  expect(new Set([...grids, ...inMemory].map(({ peerId }) => peerId)).size).toBe(6)
})
