import type { Cluster } from '../cluster/cluster.ts'
import type { DemoLedger } from './ledger.ts'
import type { OrderedWrite } from '../cluster/peer-calls.ts'
import { PeerGone } from '../cluster/peer-process.ts'

const BATCH_WRITES = 10
/** Spreads the writes over about three seconds, so that people can watch the split. */
const BATCH_GAP_MS = 35
/** How long a batch is under way when its peer is killed: mostly too short to be acknowledged. */
const KILL_DELAY_MS = 1
/** The share of its writes that the victim has done when it is killed. */
const KILLED_AFTER = 0.4

export interface SplitWritesOptions {
  readonly cluster: Cluster
  readonly ledger: DemoLedger
  /** Peer numbers by side. */
  readonly sides: readonly (readonly number[])[]
  /** Writes by side. */
  readonly workload: readonly (readonly OrderedWrite[])[]
  /** The peer that is killed during the split, and started again. */
  readonly victim: number
  readonly onKilled: (acknowledged: number) => void
  readonly onRestarted: (entriesFromDisk: number, tookMs: number) => void
}

/** Writes on all peers of both sides at once during a split, and kills one of them in the middle. */
export class SplitWrites {
  readonly #options: SplitWritesOptions
  readonly #acknowledged = new Map<number, number>()

  constructor(options: SplitWritesOptions) {
    this.#options = options
  }

  /** Writes that a peer has acknowledged. */
  acknowledged(peer: number): number {
    return this.#acknowledged.get(peer) ?? 0
  }

  /** Resolves when every write is acknowledged. The writes that the kill left open are tried again. */
  async run(): Promise<void> {
    const { sides, workload, victim } = this.#options
    const writers = sides.flatMap((peers, side) =>
      peers.map((peer, index) => {
        const share = (workload[side] ?? []).filter((_, i) => i % peers.length === index)
        return peer === victim ? this.#writeAndDie(peer, side, share) : this.#write(peer, side, share)
      }),
    )
    await Promise.all(writers)
  }

  async #write(peer: number, side: number, writes: readonly OrderedWrite[]): Promise<void> {
    for (let first = 0; first < writes.length; first += BATCH_WRITES) {
      await this.#writeBatch(peer, side, writes.slice(first, first + BATCH_WRITES))
      await pause(BATCH_GAP_MS)
    }
  }

  async #writeBatch(peer: number, side: number, batch: readonly OrderedWrite[]): Promise<void> {
    const { cluster, ledger } = this.#options
    const versions = await cluster.ask(peer, 'write', batch)
    batch.forEach(({ key, value }, i) => ledger.acknowledge({ peer, key, value, version: versions[i]! }, side))
    this.#acknowledged.set(peer, this.acknowledged(peer) + batch.length)
  }

  async #writeAndDie(peer: number, side: number, writes: readonly OrderedWrite[]): Promise<void> {
    const { cluster, ledger, onKilled, onRestarted } = this.#options
    const before = Math.ceil(writes.length * KILLED_AFTER)
    await this.#write(peer, side, writes.slice(0, before))
    const underWay = writes.slice(before, before + BATCH_WRITES)
    const answer = this.#writeBatch(peer, side, underWay).then(
      () => true,
      (error: unknown) => {
        if (!(error instanceof PeerGone)) throw error
        for (const { key, value } of underWay) ledger.leaveOpen(key, value)
        return false
      },
    )
    await pause(KILL_DELAY_MS)
    await cluster.kill(peer)
    const answered = await answer
    onKilled(this.acknowledged(peer))
    const startMs = performance.now()
    onRestarted(await cluster.start(peer), performance.now() - startMs)
    // A write that was not acknowledged is not done, so try it again. A delete that did happen needs no second attempt.
    const again = answered ? [] : await this.#stillWanted(peer, underWay)
    await this.#write(peer, side, [...again, ...writes.slice(before + BATCH_WRITES)])
  }

  async #stillWanted(peer: number, writes: readonly OrderedWrite[]): Promise<OrderedWrite[]> {
    const values = await Promise.all(writes.map(({ key }) => this.#options.cluster.ask(peer, 'read', key)))
    return writes.filter(({ value }, i) => value !== null || values[i] !== null)
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
