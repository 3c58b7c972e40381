import type { PeerStatus } from '../control/control-api.ts'
import { ControlClient } from '../control/control-client.ts'
import { shortId } from '../control/running-peer.ts'
import type { RunningPeer } from '../control/running-peer.ts'
import { countOf } from '../terminal/quantities.ts'
import { failed, ok, warning } from './finding.ts'
import type { Finding } from './finding.ts'

const ANSWER_MAX_MS = 3000

/** The report of a running peer; undefined when it does not answer. */
export async function statusOf(peer: RunningPeer): Promise<PeerStatus | undefined> {
  const client = new ControlClient(peer.socket)
  try {
    return await client.call<PeerStatus>('/v1/status', { signal: AbortSignal.timeout(ANSWER_MAX_MS) })
  } catch {
    return undefined
  } finally {
    client.close()
  }
}

/** Checks a running peer. */
export function checkRunning(peer: RunningPeer, status: PeerStatus | undefined): Finding[] {
  const name = `peer ${shortId(peer.peerId)}`
  if (status === undefined) {
    return [
      failed(
        name,
        `pid ${peer.pid} of grid '${peer.name}' does not answer`,
        'See its log. If it hangs, end it with kill and start it again.',
      ),
    ]
  }
  return [store(name, status), neighbours(name, status), ...lag(name, status)]
}

function store(name: string, { storage, name: grid }: PeerStatus): Finding {
  if (storage.healthy) return ok(name, `runs, of grid '${grid}', ${storage.persistent ? 'on disk' : 'in memory'}`)
  return failed(
    name,
    `its store refuses writes: ${storage.error}`,
    'Free space or mend the disk; it tries again by itself.',
  )
}

function neighbours(name: string, { peers }: PeerStatus): Finding {
  const connected = peers.filter((member) => member.connected).length
  if (connected > 0) return ok(name, `connected to ${countOf(connected, 'peer')}`)
  return warning(
    name,
    'connected to no peer',
    'If there should be others: start one with --join, and doctor --join ADDRESS tells why they do not meet.',
  )
}

function lag(name: string, { collections }: PeerStatus): Finding[] {
  const behind = collections.filter(({ lags }) => lags.some((other) => other.behind > 0))
  if (collections.length === 0) return []
  if (behind.length === 0) return [ok(name, 'lacks nothing that others are known to have')]
  const writes = Math.max(...behind.flatMap(({ lags }) => lags.map((other) => other.behind)))
  return [
    warning(
      name,
      `is behind in ${countOf(behind.length, 'collection')}, by up to ${countOf(writes, 'write')}`,
      'It catches up by itself; look again in a minute.',
    ),
  ]
}
