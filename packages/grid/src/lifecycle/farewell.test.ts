import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Grid } from '../grid.ts'
import { openGrid } from '../open-grid.ts'

const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
const options = { name: 'farewell', listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false, logger: quiet }
/** Without waiting for what was written, most of these rounds lost it. */
const ROUNDS = 8
let folder: string
let other: Grid

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gossipgrid-farewell-'))
  other = await openGrid(options)
})
afterAll(async () => {
  await other.close()
  await rm(folder, { recursive: true, force: true })
})

it.each(['in memory', 'with a directory'])(
  'what a peer %s wrote just before it closed is at its neighbour',
  async (kind) => {
    const seen = other.map('notes')
    for (let round = 0; round < ROUNDS; round++) {
      const directory = kind === 'in memory' ? {} : { directory: join(folder, String(round)) }
      const grid = await openGrid({ ...options, ...directory, join: other.addresses })
      await grid.ready()
      await grid.map('notes').set(kind, round)
      await grid.close()
      // The writer is gone, so nothing brings it later.
      await expect.poll(() => seen.peek(kind)).toBe(round)
    }
  },
)
