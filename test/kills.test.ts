import { randomInt } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Random } from '@gossipgrid/testing'
import { describe, expect, it } from 'vitest'
import { CrashRounds } from './crash-trial/crash-rounds.ts'
import type { Runtime } from './crash-trial/trial-process.ts'

/** Kills are spread over one growing directory per runtime. */
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
        throw new Error(`With the moments of seed ${seed}`, { cause: error })
      } finally {
        await rm(root, { recursive: true, force: true })
      }
    },
    240_000,
  )
})
