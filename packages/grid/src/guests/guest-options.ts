import { requireKnown } from '@gossipgrid/core'
import type { Known } from '@gossipgrid/core'
import { checkCount, checkKind, misfit, requireKind } from '../batches/checks.ts'
import type { AskedWrite } from './asked-write.ts'

const GUESTS_MAX = 100_000

/** A write of a guest that a member is about to take. The pass covers it. */
export interface GuestRequest extends AskedWrite {
  /** The pass of the guest, which is valid. */
  readonly pass: { readonly id: string; readonly subject: string }
}

/** How a member serves guests: the option `guests` of `openGrid`. */
export interface GuestsOptions {
  /**
   * Where guests reach this member: multiaddrs that end in `/ws` or `/tls/ws` for tabs. They are another port than `listen`. The
   * certificate is that of `tls`.
   */
  readonly listen: readonly string[]
  /** Addresses to tell people instead, for a server behind a DNS name or a proxy. */
  readonly announce?: readonly string[]
  /** How many guests may be connected at a time. Default 1,000. */
  readonly max?: number
  /**
   * Whether a write that a pass covers may be made. Is called for each write, in order, and may be async. What it returns false for,
   * or throws for, is refused with `FORBIDDEN`. Default: all that passes cover is taken.
   */
  readonly authorize?: (request: GuestRequest) => boolean | Promise<boolean>
  /** What one subject may write. Give all members that serve guests the same. */
  readonly quotas?: GuestQuotas
}

/** The option `guests.quotas`: what one subject may write, over all of its guests. */
export interface GuestQuotas {
  /** Writes a second at this member, and requests to partitioned maps, on average over ten seconds. What is more waits, and is not refused. Default 200. */
  readonly writesPerSecond?: number
  /** Bytes a second at this member, on average over ten seconds. What is more waits, and is not refused. Default 1 MiB. */
  readonly bytesPerSecond?: number
  /**
   * Entries that may lie under the keys that the pass allows to write, also those of others; in a map with fields each field counts. A write that makes
   * more is refused with `QUOTA_EXCEEDED`. Entries of partitioned maps do not count. Default 100,000.
   */
  readonly entriesMax?: number
  /** Bytes of the keys and values of those entries. A write that makes more is refused with `QUOTA_EXCEEDED`. Default 256 MiB. */
  readonly bytesMax?: number
}

const OPTIONS: Known<GuestsOptions> = { listen: true, announce: true, max: true, authorize: true, quotas: true }
const QUOTAS: Known<GuestQuotas> = { writesPerSecond: true, bytesPerSecond: true, entriesMax: true, bytesMax: true }

/** Throws `INVALID_OPTION`. */
export function checkGuestsOptions(options: GuestsOptions): void {
  if (typeof options !== 'object' || options === null) throw misfit('guests', 'an object such as { listen }', options)
  requireKnown(options, OPTIONS)
  const { announce, authorize, listen, max, quotas } = options
  requireKind('guests.listen', listen, 'texts')
  if (listen.length === 0) throw misfit('guests.listen', 'at least one multiaddr', listen)
  checkKind('guests.announce', announce, 'texts')
  checkCount('guests.max', max, 1, GUESTS_MAX)
  checkKind('guests.authorize', authorize, 'function')
  if (quotas === undefined) return
  if (typeof quotas !== 'object') throw misfit('guests.quotas', 'an object such as { writesPerSecond }', quotas)
  requireKnown(quotas, QUOTAS)
  checkCount('guests.quotas.writesPerSecond', quotas.writesPerSecond, 1, 1_000_000)
  checkCount('guests.quotas.bytesPerSecond', quotas.bytesPerSecond, 1024, 1024 * 1024 * 1024)
  checkCount('guests.quotas.entriesMax', quotas.entriesMax, 1, Number.MAX_SAFE_INTEGER)
  checkCount('guests.quotas.bytesMax', quotas.bytesMax, 1, Number.MAX_SAFE_INTEGER)
}
