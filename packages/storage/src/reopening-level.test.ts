import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { Level } from './level-open.ts'
import { ReopeningLevel } from './reopening-level.ts'

const FULL = 'IO error: 000052.ldb: No space left on device'

let directory: string
/** What the database was asked for, in this order. */
let calls: string[]
/** How often the next batches fail. */
let failures: number

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gossipgrid-reopening-'))
  calls = []
  failures = 0
})

afterEach(async () => {
  await rm(directory, { recursive: true, force: true })
})

function reopeningLevel(): ReopeningLevel {
  const level = {
    status: 'open',
    close: async () => void calls.push('close'),
    open: async () => void calls.push('open'),
    batch: async () => {
      calls.push('batch')
      failures -= 1
      if (failures >= 0) throw new Error(FULL)
    },
  }
  return new ReopeningLevel(level as unknown as Level, directory)
}

it('a write that meets the failure of an earlier compaction is stored by a second try', async () => {
  const level = reopeningLevel()
  failures = 1
  await level.write([], 0)
  await level.write([], 0)
  expect(calls).toEqual(['batch', 'close', 'open', 'batch', 'batch'])
})

it('a write is tried twice at most, and the next one begins with a database opened again', async () => {
  const level = reopeningLevel()
  failures = 3
  await expect(level.write([], 0)).rejects.toThrow(FULL)
  await expect(level.write([], 0)).rejects.toThrow(FULL)
  await level.write([], 0)
  expect(calls).toEqual(['batch', 'close', 'open', 'batch', 'close', 'open', 'batch', 'close', 'open', 'batch'])
})

it('the database stays open for reads while the directory takes no file', async () => {
  const level = reopeningLevel()
  failures = 1
  await rm(directory, { recursive: true })
  await expect(level.write([], 0)).rejects.toThrow('ENOENT')
  expect(calls).toEqual(['batch'])
  expect(await level.read(async ({ status }) => status)).toBe('open')
})
