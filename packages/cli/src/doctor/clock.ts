import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { PeerStatus } from '../control/control-api.ts'
import { countOf } from '../terminal/quantities.ts'
import { failed, ok, warning } from './finding.ts'
import type { Finding } from './finding.ts'

const WATCHED_MS = 1000
const JUMP_MAX_MS = 50
/** The grid's clock counts from here. */
const FIRST_YEAR = 2025

/** Checks the clock of this machine, and the running peer's view of other clocks. */
export async function checkClock(running: PeerStatus | undefined): Promise<Finding[]> {
  const [steadiness, synchronised] = await Promise.all([steady(), ntp()])
  return [sane(), steadiness, ...synchronised, ...(running === undefined ? [] : [others(running)])]
}

function sane(): Finding {
  const now = new Date()
  if (now.getUTCFullYear() >= FIRST_YEAR) return ok('clock', `it is ${now.toISOString()}`)
  return failed(
    'clock',
    `it shows ${now.toISOString()}`,
    'Set it: writes are dated by it, and others would refuse or win over yours.',
  )
}

/** The wall clock must run as fast as the monotonic one. */
async function steady(): Promise<Finding> {
  const startWallMs = Date.now()
  const startMs = performance.now()
  await new Promise((resolve) => setTimeout(resolve, WATCHED_MS))
  const jumpMs = Math.abs(Date.now() - startWallMs - (performance.now() - startMs))
  if (jumpMs <= JUMP_MAX_MS) return ok('clock runs', `evenly for ${WATCHED_MS / 1000} s`)
  return warning(
    'clock runs',
    `it jumped by ${Math.round(jumpMs)} ms within ${WATCHED_MS / 1000} s`,
    'See what sets it. Let one NTP client do so, which slews instead of stepping.',
  )
}

async function ntp(): Promise<Finding[]> {
  const call = promisify(execFile)
  try {
    const { stdout } = await call('timedatectl', ['show', '--property=NTPSynchronized', '--value'], { timeout: 3000 })
    if (stdout.trim() === 'yes') return [ok('clock source', 'synchronised, says timedatectl')]
    return [
      warning(
        'clock source',
        'not synchronised, says timedatectl',
        'Switch on NTP: timedatectl set-ntp true, or install chrony. A write dated more than 10 minutes ahead is refused.',
      ),
    ]
  } catch {
    // Without systemd only the internet could answer, and the doctor does not ask it.
    return []
  }
}

function others(status: PeerStatus): Finding {
  const { heldWrites } = status.backlog
  const name = 'clocks of others'
  if (heldWrites === 0) return ok(name, 'no write of theirs is dated ahead of this clock')
  return warning(
    name,
    `${countOf(heldWrites, 'write')} dated more than a minute ahead of this clock`,
    'Compare the clocks of the machines: date -u on each.',
  )
}
