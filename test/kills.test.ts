import { randomInt } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Random } from '@gossipgrid/testing'
import { describe, expect, it } from 'vitest'
import { TrialLedger } from './crash-trial/trial-ledger.ts'
import { TrialProcess } from './crash-trial/trial-process.ts'
import type { Runtime } from './crash-trial/trial-process.ts'

const OPENING_MAX_MS = 1000
const WRITING_MAX_MS = 500
const CHECKPOINT_MAX_MS = 100
const CHECKPOINT_WAIT_MAX_MS = 3000
const CHECKPOINT_LOG_MIN_BYTES = 16 * 1024 * 1024

/** Waits for the moment of a kill: while the grid opens, while it writes, or while it checkpoints. */
async function fatalMoment(peer: TrialProcess, random: Random): Promise<void> {
  const moment = random.below(4)
  if (moment === 0) {
    await delay(random.below(OPENING_MAX_MS))
    return
  }
  await peer.until('a first acknowledged write', () => peer.acknowledged >= 0)
  if (moment === 1) {
    await delay(random.below(WRITING_MAX_MS))
    return
  }
  const outgrown = peer.until('a log to cut', () => peer.logBytes > CHECKPOINT_LOG_MIN_BYTES)
  await Promise.race([outgrown, delay(CHECKPOINT_WAIT_MAX_MS)])
  await delay(random.below(CHECKPOINT_MAX_MS))
}

/** Kills a writing peer again and again over one growing directory, and checks what it finds each time. */
async function killAgainAndAgain(runtime: Runtime, kills: number, directory: string, random: Random): Promise<void> {
  const ledger = new TrialLedger()
  let replicaId: string | undefined
  let last = { round: 0, acknowledged: -1 }
  let checkpoints = 0
  for (let round = 0; round <= kills; round++) {
    const peer = new TrialProcess(runtime, directory, round)
    try {
      if (round === kills) await peer.opened()
      else await fatalMoment(peer, random)
    } finally {
      await peer.kill()
    }
    checkpoints += peer.checkpoints
    if (peer.found === undefined) continue
    ledger.check(last.round, peer.found.entries, last.acknowledged)
    last = { round, acknowledged: peer.acknowledged }
    if (replicaId !== undefined) {
      expect(peer.found).toMatchObject({ replicaId, recoveries: [] })
    }
    if (peer.acknowledged >= 0) ({ replicaId } = peer.found)
  }
  expect(checkpoints).toBeGreaterThan(0)
}

describe('a peer that is killed while it opens, writes or checkpoints', () => {
  it.concurrent.each<[kills: number, runtime: Runtime]>([
    [20, 'node'],
    [20, 'deno'],
    [20, 'bun'],
  ])('%i times on %s: keeps every acknowledged write, nothing else, and its replica id', async (kills, runtime) => {
    const directory = await mkdtemp(join(tmpdir(), 'gossipgrid-kills-'))
    const seed = randomInt(2 ** 32)
    try {
      await killAgainAndAgain(runtime, kills, join(directory, 'grid'), new Random(seed))
    } catch (error) {
      throw new Error(`With the moments of seed ${seed}`, { cause: error })
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
  })
})
