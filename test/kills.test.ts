import { randomInt } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Random } from '@gossipgrid/testing/simulation'
import { describe, expect, it } from 'vitest'
import { checkSurvivors, startTrialWriter } from '../packages/storage/src/crash-trial.ts'
import { CrashRounds } from './crash-trial/crash-rounds.ts'
import { RUNTIMES, runtimeCommand } from './runtimes/runtime.ts'
import type { Runtime } from './runtimes/runtime.ts'

/** All kills of one runtime happen to one growing directory. */
describe('a peer that is killed while it opens, writes or checkpoints', () => {
  it.concurrent.each<[kills: number, runtime: Runtime]>([
    [18, 'node'],
    [18, 'deno'],
    [18, 'bun'],
  ])(
    '%i times on %s: keeps every acknowledged write, nothing else, and its replica id',
    async (kills, runtime) => {
      const root = await mkdtemp(join(tmpdir(), 'gossipgrid-kills-'))
      const seed = randomInt(2 ** 32)
      const rounds = new CrashRounds(new Random(seed))
      try {
        for (let kill = 0; kill < kills; kill++)
          await rounds.crash(runtime, join(root, 'grid'), async (peer) => peer.kill())
        await rounds.close(runtime, join(root, 'grid'))
        expect(rounds.checkpoints).toBeGreaterThan(0)
      } catch (error) {
        throw new Error(`With the moments of seed ${seed}: ${String(error)}`, { cause: error })
      } finally {
        await rm(root, { recursive: true, force: true })
      }
    },
    600_000,
  )
})

describe('a store that is killed while it writes', () => {
  it.each(RUNTIMES)('on %s: loses no acknowledged batch and tears none', async (runtime) => {
    const root = await mkdtemp(join(tmpdir(), 'gossipgrid-kills-'))
    const directory = join(root, 'store')
    try {
      let acknowledged = -1
      for (let kill = 0; kill < 5; kill++) {
        const writer = startTrialWriter(directory, { command: runtimeCommand(runtime) })
        await writer.started
        await delay(randomInt(150))
        await writer.kill()
        acknowledged = Math.max(acknowledged, writer.acknowledged())
        await checkSurvivors(directory, acknowledged)
      }
      expect(acknowledged).toBeGreaterThan(0)
    } finally {
      await rm(root, { recursive: true, force: true })
    }
  })
})
