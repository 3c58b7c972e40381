import type { Broadcaster } from '../replication/broadcaster.ts'
import type { AntiEntropy } from '../replication/anti-entropy.ts'
import type { Checkpoint } from '../storage/checkpoint.ts'
import type { Collections } from '../replica/collections.ts'
import type { Confirmations } from '../replication/confirmations.ts'
import type { Dials } from '../members/dials.ts'
import type { GroupCommit } from '../storage/group-commit.ts'
import type { Heartbeats } from './heartbeats.ts'
import type { Housekeeping } from '../purging/housekeeping.ts'
import type { Inbound } from '../replication/inbound.ts'
import type { Input } from '../outbox/effects.ts'
import type { Instant } from '../instant.ts'
import type { LocalWrites } from '../writes/local-writes.ts'
import type { Membership } from '../members/membership.ts'
import type { Ownership } from '../ownership/ownership.ts'
import type { Reception } from './reception.ts'
import type { Restamping } from './restamping.ts'
import type { Signals } from '../signals/signals.ts'
import type { Timekeeping } from '../clock/timekeeping.ts'

export interface TurnsDeps {
  readonly antiEntropy: AntiEntropy
  readonly broadcaster: Broadcaster
  readonly checkpoint: Checkpoint
  readonly collections: Collections
  readonly commit: GroupCommit
  readonly confirmations: Confirmations
  readonly dials: Dials
  readonly heartbeats: Heartbeats
  readonly housekeeping: Housekeeping
  readonly inbound: Inbound
  readonly membership: Membership
  /** Undefined where no collection may be partitioned. */
  readonly ownership: () => Ownership | undefined
  readonly reception: Reception
  readonly restamping: Restamping
  readonly signals: Signals
  readonly time: Timekeeping
  readonly writes: LocalWrites
}

/** Who takes each input of a peer, and what is done after it, in order. */
export class Turns {
  readonly #deps: TurnsDeps

  constructor(deps: TurnsDeps) {
    this.#deps = deps
  }

  /** Monotonic milliseconds at which there is something to do, if nothing happens before. */
  get wakeAtMs(): number {
    const { antiEntropy, broadcaster, checkpoint, commit, confirmations, housekeeping, membership } = this.#deps
    if (commit.persistent && checkpoint.busy) return 0
    return Math.min(
      broadcaster.wakeAtMs,
      antiEntropy.wakeAtMs,
      confirmations.wakeAtMs,
      this.#deps.signals.wakeAtMs,
      this.#deps.ownership()?.wakeAtMs ?? Infinity,
      membership.wakeAtMs,
      commit.wakeAtMs,
      this.#deps.writes.identity.wakeAtMs,
      housekeeping.wakeAtMs,
    )
  }

  take(input: Input, now: Instant): void {
    const { commit, membership, reception } = this.#deps
    switch (input.type) {
      case 'tick':
        break
      case 'stored':
        commit.stored(input.ticket, now)
        break
      case 'store-failed':
        commit.failed(input.ticket, input.error, now)
        break
      case 'addresses':
        membership.update({ addresses: input.addresses })
        break
      case 'asleep':
        membership.sleep(input.asleep)
        break
      default:
        reception.take(input, now)
    }
  }

  tick(now: Instant): void {
    const { commit, time } = this.#deps
    time.tick(now)
    this.#deps.restamping.tick(now)
    this.#deps.collections.expiries.sweep(time.wallMs(now))
    this.#deps.inbound.release(now)
    this.#deps.membership.expire(now)
    this.#deps.antiEntropy.tick(now)
    this.#deps.housekeeping.tick(now)
    this.#deps.ownership()?.tick(now)
    this.#deps.confirmations.tick(now)
    if (commit.persistent) this.#deps.checkpoint.tick()
    commit.flush(now)
    this.#deps.broadcaster.pump(now.monotonicMs)
    this.#deps.signals.tick(now)
    this.#deps.heartbeats.tick(now)
    this.#deps.dials.tick(now)
    this.#deps.writes.tick(now)
  }
}
