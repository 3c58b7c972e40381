import { setTimeout as delay } from 'node:timers/promises'
import type { Random } from '@gossipgrid/testing/simulation'
import { TrialLedger } from './trial-ledger.ts'
import { TrialProcess } from './trial-process.ts'
import type { Runtime } from '../runtimes/runtime.ts'

const OPENING_MAX_MS = 1000
const WRITING_MAX_MS = 500
const CHECKPOINT_MAX_MS = 100
const CHECKPOINT_WAIT_MAX_MS = 3000
/** Core's limit: a log above it will be cut soon. */
const CHECKPOINT_LOG_MIN_BYTES = 16 * 1024 * 1024

/**
 * Rounds of one peer. Each ends in a crash, and the next one continues with what the crash left. Each round checks the
 * acknowledged writes of the one before.
 */
export class CrashRounds {
  /** Checkpoints that were seen to finish. */
  checkpoints = 0
  readonly #random: Random
  readonly #ledger = new TrialLedger()
  #round = 0
  #last = { round: 0, acknowledged: -1 }
  #replicaId: string | undefined

  constructor(random: Random) {
    this.#random = random
  }

  /**
   * Runs a peer until a fatal moment. `crash` does the damage of that moment; after it the peer is killed in any case.
   */
  async crash(runtime: Runtime, directory: string, crash: (peer: TrialProcess) => Promise<void>): Promise<void> {
    const peer = new TrialProcess(runtime, directory, this.#round++)
    try {
      await this.#fatalMoment(peer)
      await crash(peer)
    } finally {
      await peer.kill()
    }
    this.#check(peer)
  }

  /**
   * Opens what the last crash left, lets the peer write until at least one checkpoint of all rounds has finished, and
   * closes it in good order.
   */
  async close(runtime: Runtime, directory: string): Promise<void> {
    const peer = new TrialProcess(runtime, directory, this.#round++)
    try {
      await peer.until('a first acknowledged write', () => peer.acknowledged >= 0)
      await peer.until('a checkpoint', () => this.checkpoints + peer.checkpoints > 0)
      await peer.close()
    } finally {
      peer.abandon()
    }
    this.#check(peer)
  }

  /** Moments of a kill: while the grid opens, while it writes, or while it checkpoints. */
  async #fatalMoment(peer: TrialProcess): Promise<void> {
    const moment = this.#random.below(3)
    if (moment === 0) {
      await delay(this.#random.below(OPENING_MAX_MS))
      return
    }
    await peer.until('a first acknowledged write', () => peer.acknowledged >= 0)
    if (moment === 1) {
      await delay(this.#random.below(WRITING_MAX_MS))
      return
    }
    const outgrown = peer.until('a log to cut', () => peer.logBytes > CHECKPOINT_LOG_MIN_BYTES)
    await Promise.race([outgrown, delay(CHECKPOINT_WAIT_MAX_MS)])
    await delay(this.#random.below(CHECKPOINT_MAX_MS))
  }

  /** A peer that was killed before it could report what it found has written nothing. */
  #check({ found, acknowledged, checkpoints }: TrialProcess): void {
    this.checkpoints += checkpoints
    if (found === undefined) return
    this.#ledger.check(this.#last.round, found.entries, this.#last.acknowledged)
    this.#last = { round: this.#round - 1, acknowledged }
    // A crash costs no replica id, and causes no report.
    const { replicaId, recoveries } = found
    if (this.#replicaId !== undefined && (this.#replicaId !== replicaId || recoveries.length > 0)) {
      throw new Error(`Replica id ${replicaId} after ${this.#replicaId}: ${JSON.stringify(recoveries)}`)
    }
    if (acknowledged >= 0) this.#replicaId = replicaId
  }
}
