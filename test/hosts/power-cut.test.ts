import { randomInt } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Random } from '@gossipgrid/testing/simulation'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { checkSurvivors, startTrialWriter } from '../../packages/storage/src/crash-trial.ts'
import { levelStorage } from '@gossipgrid/storage'
import { CrashRounds } from '../crash-trial/crash-rounds.ts'
import { RUNTIMES } from '../runtimes/runtime.ts'
import { MountedDisks } from './mounted-disk.ts'

const DISK_SIZE_MEBIBYTES = 192
// The kernel must not write by itself during a round, which would hide a missing sync.
const WRITES_BACK_LATE = 'commit=300'

let disks: MountedDisks

beforeEach(async () => {
  disks = await MountedDisks.prepare()
})

afterEach(async () => {
  await disks?.close()
})

/** Mounts what the disk would have after a power cut now. Returns its path. */
async function cutPower(name: string): Promise<string> {
  await disks.copyImage('live', name)
  return await disks.mountImage(name, '')
}

const CUTS = 24

it(`${CUTS} power cuts in turn on Node, Deno and Bun leave every acknowledged write, nothing else, and the replica id`, async () => {
  const seed = randomInt(2 ** 32)
  const rounds = new CrashRounds(new Random(seed))
  await disks.makeImage('cut 0', DISK_SIZE_MEBIBYTES)
  try {
    for (let cut = 0; cut < CUTS; cut++) {
      const mountPoint = await disks.mountImage(`cut ${cut}`, WRITES_BACK_LATE)
      await rounds.crash(RUNTIMES[cut % 3]!, join(mountPoint, 'grid'), async (peer) => {
        // Stop it, so that no write is acknowledged that reached the disk after the copy began.
        peer.pause()
        await delay(100)
        await disks.copyImage(`cut ${cut}`, `cut ${cut + 1}`)
      })
      await disks.remove(`cut ${cut}`)
    }
    await rounds.close('node', join(await disks.mountImage(`cut ${CUTS}`, ''), 'grid'))
    expect(rounds.checkpoints).toBeGreaterThan(0)
  } catch (error) {
    throw new Error(`With the moments of seed ${seed}`, { cause: error })
  }
}, 300_000)

// LevelDB starts a new log file after about 1,390 batches, without a sync of the last one. If only durable batches were
// synced, then for some milliseconds a durable batch would be in the new file while those before it are not on the
// disk.
for (const durableBatch of [1400, 1420, 1440]) {
  it(`durable batch ${durableBatch} takes all earlier ones with it, none of which was asked to be durable`, async () => {
    await disks.makeImage('live', DISK_SIZE_MEBIBYTES)
    const live = await disks.mountImage('live', WRITES_BACK_LATE)
    const writer = startTrialWriter(join(live, 'store'), { stopAt: durableBatch })
    try {
      await writer.started
      await checkSurvivors(join(await cutPower('after'), 'store'), durableBatch)
    } finally {
      await writer.kill()
    }
  })
}

it('a new database opens after a power cut right after its creation', async () => {
  await disks.makeImage('live', DISK_SIZE_MEBIBYTES)
  const storage = await levelStorage({ directory: join(await disks.mountImage('live', WRITES_BACK_LATE), 'store') })
  try {
    const after = join(await cutPower('after'), 'store')
    expect(await checkSurvivors(after, -1)).toBe(-1)
  } finally {
    await storage.close()
  }
})
