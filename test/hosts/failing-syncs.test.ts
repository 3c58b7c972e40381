import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TrialLedger } from '../crash-trial/trial-ledger.ts'
import { TrialProcess } from '../crash-trial/trial-process.ts'
import { RUNTIMES } from '../runtimes/runtime.ts'
import type { Runtime } from '../runtimes/runtime.ts'
import { InjectedFault } from './injected-fault.ts'
import { MountedDisks } from './mounted-disk.ts'

const DISK_SIZE_MEBIBYTES = 192
/** The kernel must not write by itself, which would hide a missing sync. */
const WRITES_BACK_LATE = 'commit=300'
const SYNCS = 'fsync,fdatasync,sync_file_range'

let disks: MountedDisks
let peer: TrialProcess
let fault: InjectedFault | undefined

beforeEach(async () => {
  disks = await MountedDisks.prepare()
})

afterEach(async () => {
  peer.abandon()
  await fault?.end()
  fault = undefined
  await disks.close()
})

async function writing(runtime: Runtime): Promise<string> {
  await disks.makeImage('live', DISK_SIZE_MEBIBYTES)
  const directory = join(await disks.mountImage('live', WRITES_BACK_LATE), 'grid')
  peer = new TrialProcess(runtime, directory, 0)
  await peer.until('a first acknowledged write', () => peer.acknowledged >= 0)
  return directory
}

/** Resolves when a write is acknowledged that was not acknowledged at the time of the call. */
async function nextAcknowledged(): Promise<void> {
  const before = peer.acknowledged
  await peer.until('one more acknowledged write', () => peer.acknowledged > before)
}

/** Checks what the disk would have after a power cut now, and that its peer keeps its replica id. */
async function expectSurvives(runtime: Runtime, name: string): Promise<void> {
  const { acknowledged } = peer
  await disks.copyImage('live', name)
  const survivor = new TrialProcess(runtime, join(await disks.mountImage(name, ''), 'grid'), 1)
  try {
    const { entries, replicaId, recoveries } = await survivor.opened()
    new TrialLedger().check(0, entries, acknowledged)
    expect({ replicaId, recoveries }).toEqual({ replicaId: peer.found!.replicaId, recoveries: [] })
    await survivor.until('a first acknowledged write', () => survivor.acknowledged >= 0)
    await survivor.close()
  } finally {
    survivor.abandon()
  }
}

describe.each(RUNTIMES)('on %s', (runtime) => {
  it('syncs that fail: writes reject, the status says so, no write is acknowledged, and writes work again when syncs do', async () => {
    const directory = await writing(runtime)
    fault = await InjectedFault.start(peer.pid, SYNCS, 'error=EIO')
    await peer.until('a rejected write', () => peer.rejected.length > 0)
    expect(peer.rejected[0]!.code).toBe('STORAGE_FAILED')
    await peer.until('a store that is not well', () => peer.health.at(-1)?.healthy === false)
    expect(peer.health.at(-1)!.error).toMatch(/Input\/output error/)
    const { acknowledged } = peer
    const failedLogs = (await readdir(directory)).filter((name) => name.endsWith('.log'))
    // After several more attempts nothing new is acknowledged, and earlier acknowledged writes are on the disk.
    await delay(2500)
    expect(peer.acknowledged).toBe(acknowledged)
    await expectSurvives(runtime, 'while it fails')

    await fault.end()
    await peer.until('a store that is well', () => peer.health.at(-1)?.healthy === true)
    await nextAcknowledged()
    // The kernel drops data that it could not sync, so a file whose sync has failed must not be trusted again.
    const logs = (await readdir(directory)).filter((name) => name.endsWith('.log'))
    expect(logs.filter((name) => failedLogs.includes(name))).toEqual([])
    peer.pause()
    await delay(100)
    await expectSurvives(runtime, 'after it has failed')
  })

  it('syncs that take 200 ms: writes take as long, none is refused, none is acknowledged before it is on the disk', async () => {
    await writing(runtime)
    fault = await InjectedFault.start(peer.pid, SYNCS, 'delay_enter=200000')
    for (let i = 0; i < 3; i++) await nextAcknowledged()
    peer.pause()
    await fault.end()
    await delay(100)
    expect(peer.rejected).toEqual([])
    expect(peer.health).toEqual([])
    await expectSurvives(runtime, 'while it is slow')
  })
})
