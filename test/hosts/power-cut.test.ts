import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { checkSurvivors, startTrialWriter } from '../../packages/storage/src/crash-trial.ts'
import { levelStorage } from '@gossipgrid/storage'
import { MountedDisks } from './mounted-disk.ts'

const DISK_SIZE_MEBIBYTES = 192
// The kernel must not write anything by itself while a round lasts, or it would hide a missing sync.
const WRITES_BACK_LATE = 'commit=300'

let disks: MountedDisks

beforeEach(async () => {
  disks = await MountedDisks.prepare()
})

afterEach(async () => {
  await disks?.close()
})

/** Mounts what the disk would hold if the power went now; returns where. */
async function cutPower(name: string): Promise<string> {
  await disks.copyImage('live', name)
  return await disks.mountImage(name, '')
}

// 0 ms hits the creation of the database; the long ones LevelDB's change from one log file to the next.
for (const runMs of [0, 20, 100, 300, 600, 1000]) {
  it(`a power cut ${runMs} ms after the first acknowledgement loses no acknowledged write`, async () => {
    await disks.makeImage('live', DISK_SIZE_MEBIBYTES)
    const writer = startTrialWriter(join(await disks.mountImage('live', WRITES_BACK_LATE), 'store'))
    try {
      await writer.started
      await delay(runMs)
      // Stopped, so that nothing is acknowledged that came on the disk after the copy began.
      process.kill(writer.pid, 'SIGSTOP')
      await delay(100)
      const after = await cutPower('after')
      const head = await checkSurvivors(join(after, 'store'), writer.acknowledged())
      expect(head).toBeGreaterThanOrEqual(0)
    } finally {
      await writer.kill()
    }
  })
}

// LevelDB starts a new log file after about 1,390 batches, without a sync of the last one. Whoever syncs only durable
// batches has for some milliseconds a durable one in the new file and nothing on the disk of those before it.
for (const durableBatch of [1400, 1420, 1440]) {
  it(`durable batch ${durableBatch} takes all earlier ones with it, none of which was asked to be durable`, async () => {
    await disks.makeImage('live', DISK_SIZE_MEBIBYTES)
    const writer = startTrialWriter(join(await disks.mountImage('live', WRITES_BACK_LATE), 'store'), durableBatch)
    try {
      await writer.started
      await checkSurvivors(join(await cutPower('after'), 'store'), durableBatch)
    } finally {
      await writer.kill()
    }
  })
}

it('a database that was only just created opens after a power cut', async () => {
  await disks.makeImage('live', DISK_SIZE_MEBIBYTES)
  const storage = await levelStorage({ directory: join(await disks.mountImage('live', WRITES_BACK_LATE), 'store') })
  try {
    const after = join(await cutPower('after'), 'store')
    expect(await checkSurvivors(after, -1)).toBe(-1)
  } finally {
    await storage.close()
  }
})
