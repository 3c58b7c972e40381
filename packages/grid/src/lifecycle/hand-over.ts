import { GridError, plainName } from '@gossipgrid/core'
import type { PartitionName, Peer } from '@gossipgrid/core'
import { TIMEOUT_MAX_MS, checkCount, checkKind } from '../batches/checks.ts'
import type { Logger } from '../logger.ts'
import { checkAborted, checkSignal, settlesWithin } from '../runtime/waiting.ts'
import type { WritePath } from '../runtime/write-path.ts'

/** How long handing over may take by default: ten minutes. */
const HAND_OVER_MAX_MS = 600_000
const LOOK_GAP_MS = 100
const NAMES_SHOWN_MAX = 5
const LAST_OWNER = 'no other peer of the grid can own partitions; start one, or close instead, which hands nothing over'

/** What a peer that leaves still has to hand over. */
export interface LeaveProgress {
  /** Copies of partitions that other owners do not all have yet. */
  readonly partitions: number
  /** Bytes of the values in these copies. */
  readonly bytes: number
  /** Writes that wait for the owners of their partitions. */
  readonly hints: number
  /**
   * Of `partitions`, those that no other peer of the grid may own: this peer is the last one that can. They wait until another one that
   * can own has joined, and only `timeoutMs` ends that.
   */
  readonly withoutOwner: number
  /** Of `partitions`, those that wait for an owner that is out of reach. */
  readonly ownerAway: number
}

/** Options of `Grid.leave`. */
export interface LeaveOptions {
  /** How long handing over partitions may take: 1 to 2^31 - 1 ms, by default 600,000. */
  readonly timeoutMs?: number
  /** Ends the handing over. */
  readonly signal?: AbortSignal
  /** Called at once, and whenever something has changed; the last time with nothing left. Not called where nothing is to be handed over. */
  readonly onProgress?: (progress: LeaveProgress) => void
}

/**
 * Hands over all partitions of this peer to other owners. Resolves once those have all of them. Rejects with `LEAVE_INCOMPLETE`
 * when the time is over; this peer then goes on handing over until it is closed.
 */
export async function handOver(
  { copies, pump }: WritePath,
  options: LeaveOptions = {},
  logger?: Pick<Logger, 'warn'>,
): Promise<void> {
  const { timeoutMs = HAND_OVER_MAX_MS, signal, onProgress } = options
  checkCount('timeoutMs', timeoutMs, 1, TIMEOUT_MAX_MS)
  checkKind('onProgress', onProgress, 'function')
  checkSignal(signal)
  checkAborted(signal)
  const { peer } = pump
  if (!peer.takesPart) return
  const endMs = performance.now() + timeoutMs
  pump.undisturbed(() => peer.partitions.leave(pump.now()))
  pump.tickSoon()
  let isWarned = false
  for (let shown = ''; ;) {
    pump.checkOpen()
    const { remaining } = peer.partitions
    const hints = peer.partitions.hints?.count ?? 0
    const progress: LeaveProgress = {
      partitions: remaining.length,
      bytes: bytesOf(pump, remaining),
      hints,
      withoutOwner: remaining.filter(({ waitsFor }) => waitsFor === 'owner').length,
      ownerAway: remaining.filter(({ waitsFor }) => waitsFor === 'reach').length,
    }
    const text = JSON.stringify(progress)
    if (text !== shown && (shown !== '' || remaining.length + hints > 0)) onProgress?.(progress)
    shown = text
    if (progress.withoutOwner > 0 && !isWarned) logger?.warn(`leaving waits: ${LAST_OWNER}`)
    isWarned ||= progress.withoutOwner > 0
    if (remaining.length === 0 && hints === 0) return
    if (performance.now() >= endMs) throw incomplete(remaining, hints)
    await settlesWithin(new Promise(() => undefined), LOOK_GAP_MS, { signal, closed: copies.closed })
  }
}

function bytesOf({ peer }: WritePath['pump'], remaining: readonly { readonly name: PartitionName }[]): number {
  return remaining.reduce((sum, { name }) => sum + (peer.collections.find(name)?.replica.table.valueBytes ?? 0), 0)
}

function incomplete(remaining: Peer['partitions']['remaining'], hints: number): GridError {
  const counts = new Map<string, number>()
  for (const { name } of remaining) {
    const title = plainName(name.collection)
    counts.set(title, (counts.get(title) ?? 0) + 1)
  }
  const named = [...counts].slice(0, NAMES_SHOWN_MAX).map(([title, count]) => `${count} of '${title}'`)
  if (counts.size > named.length) named.push(`those of ${counts.size - named.length} other collections`)
  const short = remaining.filter(({ isShort }) => isShort).length
  const what = [
    ...(remaining.length > 0 ? [`${remaining.length} partitions are not handed over: ${named.join(', ')}`] : []),
    ...(short > 0 ? [`for ${short} of them other owners have no whole copy yet`] : []),
    ...(hints > 0 ? [`${hints} writes wait for their owners`] : []),
  ]
  const isLast = remaining.some(({ waitsFor }) => waitsFor === 'owner')
  if (isLast) what.push(LAST_OWNER)
  const away = remaining.filter(({ waitsFor }) => waitsFor === 'reach').length
  if (away > 0) what.push(`${away} of them wait for an owner that is out of reach`)
  const advice =
    'See that enough other peers that can own are in reach, and leave again; closing ends without handing over.'
  return new GridError('LEAVE_INCOMPLETE', `${what.join('; ')}. ${advice}`)
}
