import { GRACE_MS } from '@gossipgrid/core'
import type { PeerId, ReportedProposal, ReportedPurging } from '@gossipgrid/core'
import { short } from './convergence.ts'

/** Purging waits for a peer that has not acknowledged a proposal of this age. */
const AWAITED_AFTER_MS = 3_600_000
const DAY_MS = 86_400_000

/** A registered durable member: deletes are purged only after it has them. */
export interface DurableMember {
  /** The id of the member. */
  readonly peerId: PeerId
  /**
   * Time since its last sign of life that this peer knows of, in milliseconds. 0 while it is alive. Other peers may have had
   * contact with it up to seven days later.
   */
  readonly silentMs: number
  /** Purging has waited for it for an hour or more. */
  readonly awaited: boolean
}

/** The state of purging. */
export interface GridPurging {
  /** The durable members that were active within 90 days, including this peer if it is one. */
  readonly members: readonly DurableMember[]
  /** Proposed purge floors that not all members have adopted yet. */
  readonly candidates: number
  /** Wall time of the next purge, in milliseconds. Undefined while a member has not acknowledged any proposal. */
  readonly nextAtMs: number | undefined
  /** Number of tombstones in all collections. */
  readonly tombstones: number
  /** One line for people, for example `12 tombstones; the next are purged in 3 days`. */
  readonly text: string
}

/** The state of purging at `wallMs` of the grid's time. `tombstones` is the number in all collections. */
export function purgingOf(
  { members: registered, proposals }: ReportedPurging,
  tombstones: number,
  wallMs: number,
): GridPurging {
  const members = registered.map((member) => durableMember(member, proposals, wallMs))
  const due = proposals.flatMap(({ completeMs }) => (completeMs === undefined ? [] : [completeMs + GRACE_MS]))
  const next = due.filter((dueMs) => dueMs > wallMs)
  const nextAtMs = next.length === 0 ? undefined : Math.min(...next)
  const known = { members, candidates: proposals.length, nextAtMs, tombstones }
  return { ...known, text: textOf(known, wallMs) }
}

function durableMember(
  { peerId, heardMs, alive }: ReportedPurging['members'][number],
  proposals: readonly ReportedProposal[],
  wallMs: number,
): DurableMember {
  let lastMs = alive ? wallMs : heardMs
  let awaited = false
  for (const { dateMs, acknowledged } of proposals) {
    const atMs = acknowledged.get(peerId)
    if (atMs !== undefined) lastMs = Math.max(lastMs, atMs)
    else if (wallMs - dateMs >= AWAITED_AFTER_MS) awaited = true
  }
  return { peerId, silentMs: Math.max(0, Math.round(wallMs - lastMs)), awaited }
}

function textOf({ members, nextAtMs, tombstones }: Omit<GridPurging, 'text'>, wallMs: number): string {
  if (tombstones === 0) return 'no tombstones'
  const kept = counted(tombstones, 'tombstone')
  if (members.length === 0) return `${kept}; nothing is purged, since no peer with a directory has registered`
  const awaited = members.filter((member) => member.awaited).toSorted((a, b) => b.silentMs - a.silentMs)
  if (awaited.length > 0) return `${kept}; ${awaitedText(awaited)}`
  if (nextAtMs !== undefined) return `${kept}; the next are purged in ${span(nextAtMs - wallMs)}`
  const days = GRACE_MS / DAY_MS
  return `${kept}; each is purged ${days} days after ${holders(members.length)} it`
}

function awaitedText([first, ...others]: readonly DurableMember[]): string {
  const { peerId, silentMs } = first!
  const more = others.length === 0 ? '' : ` and ${counted(others.length, 'more peer')}`
  const whom = `waiting for ${short(peerId)}${more}`
  if (silentMs < DAY_MS) return `${whom}, which does not have the latest deletes yet`
  return `${whom}, silent for ${span(silentMs)}: if it will not come back, gossipgrid forget ${peerId.slice(-8)}`
}

function holders(count: number): string {
  return count === 1 ? 'the one durable peer has' : `all ${count} durable peers have`
}

function counted(count: number, one: string): string {
  return `${count.toLocaleString('en-US')} ${count === 1 ? one : `${one}s`}`
}

function span(ms: number): string {
  if (ms >= DAY_MS) return counted(Math.round(ms / DAY_MS), 'day')
  return ms >= 3_600_000 ? counted(Math.round(ms / 3_600_000), 'hour') : counted(Math.ceil(ms / 60_000), 'minute')
}
