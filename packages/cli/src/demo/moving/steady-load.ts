import type { Cluster } from '../cluster/cluster.ts'
import type { OrderedWrite, PeerWorked } from '../cluster/peer-calls.ts'
import { PeerGone } from '../cluster/peer-process.ts'
import type { DemoLedger } from '../story/ledger.ts'
import { searchable } from '../story/search-name.ts'
import { durationText } from '../../terminal/quantities.ts'

/** What each peer does in a round, and the pause after it: some hundred reads and writes a second of all peers together. */
const ROUND_READS = 8
const ROUND_GAP_MS = 50
/** So many reads that went wrong are shown. */
const FAULTS_MAX = 5
/** Every so many cities, one that is deleted in the course of the demo and never read. */
const DELETED_OF = 20

export interface SteadyLoadOptions {
  readonly cluster: Cluster
  readonly ledger: DemoLedger
  readonly cities: ReadonlyMap<string, object>
  /** A number in [0, 1). */
  readonly random: () => number
}

/** The part of the demo in which a read took place. */
export type Phase = 'steady' | 'moving'

/** Reads and writes at every peer, all the time, while peers come and go. */
export class SteadyLoad {
  readonly #options: SteadyLoadOptions
  /** The keys that are there: acknowledged, and never deleted. */
  readonly #present: string[]
  readonly #deletable: string[]
  /** Keys that have just been acknowledged: the next round of any peer reads them. */
  readonly #fresh: string[] = []
  readonly #loops = new Map<number, { readonly stop: () => void; readonly ended: Promise<void> }>()
  readonly #readMs: Record<Phase, number[]> = { steady: [], moving: [] }
  /** Rejects when the load cannot go on. */
  readonly broken: Promise<never>
  readonly #break: (error: unknown) => void
  #phase: Phase = 'steady'
  #added = 0
  #failedReads = 0
  #falseMissing = 0
  #failedWrites = 0
  readonly #faults: string[] = []

  constructor(options: SteadyLoadOptions) {
    this.#options = options
    const keys = [...options.cities.keys()]
    this.#present = keys.filter((_, i) => i % DELETED_OF !== 0)
    this.#deletable = keys.filter((_, i) => i % DELETED_OF === 0)
    const { promise, reject } = Promise.withResolvers<never>()
    // Not every step waits for it.
    promise.catch(() => undefined)
    this.broken = promise
    this.#break = reject
  }

  get reads(): number {
    return this.#readMs.steady.length + this.#readMs.moving.length
  }

  /** Reads that no owner answered. */
  get failedReads(): number {
    return this.#failedReads
  }

  /** Reads of acknowledged entries that found none. */
  get falseMissing(): number {
    return this.#falseMissing
  }

  /** The first reads that failed or missed their entry, for people. */
  get faults(): readonly string[] {
    return this.#faults
  }

  /** Writes that were not acknowledged. */
  get failedWrites(): number {
    return this.#failedWrites
  }

  /** How long 99 of 100 reads of a phase took at most. */
  p99Ms(phase: Phase): number {
    const inOrder = this.#readMs[phase].toSorted((a, b) => a - b)
    return inOrder[Math.ceil(inOrder.length * 0.99) - 1] ?? 0
  }

  /** From now on reads belong to that phase. */
  enter(phase: Phase): void {
    this.#phase = phase
  }

  /** Begins at a peer. */
  start(peer: number): void {
    let isStopped = false
    const run = async (): Promise<void> => {
      for (let round = 0; !isStopped; round++) {
        if (!(await this.#round(peer, round))) return
        await new Promise((resolve) => setTimeout(resolve, ROUND_GAP_MS))
      }
    }
    const ended = run().catch(this.#break)
    this.#loops.set(peer, { ended, stop: () => (isStopped = true) })
  }

  /** Ends at a peer, or at all of them, once what is under way was answered. */
  async stop(...peers: number[]): Promise<void> {
    const stopped = peers.length === 0 ? [...this.#loops.keys()] : peers
    const loops = stopped.flatMap((peer) => this.#loops.get(peer) ?? [])
    for (const { stop } of loops) stop()
    await Promise.all(loops.map(({ ended }) => ended))
  }

  /** Resolves to false once the peer is gone. */
  async #round(peer: number, round: number): Promise<boolean> {
    const { cluster, ledger } = this.#options
    if (cluster.peer(peer).status !== 'up') return false
    const writes = this.#writes(peer, round)
    const reads = this.#reads()
    const phase = this.#phase
    try {
      const worked = await cluster.ask(peer, 'work', { reads, writes })
      reads.forEach((key, i) => this.#count(peer, key, worked.reads[i]!, phase))
      writes.forEach((write, i) => this.#settle(peer, write, worked.writes[i]!))
      return true
    } catch (error) {
      if (!(error instanceof PeerGone)) throw error
      for (const { key, value } of writes) ledger.leaveOpen(key, value)
      return false
    }
  }

  #count(peer: number, key: string, { outcome, tookMs, why }: PeerWorked['reads'][number], phase: Phase): void {
    this.#readMs[phase].push(tookMs)
    if (outcome === 'found') return
    if (outcome === 'failed') this.#failedReads += 1
    else this.#falseMissing += 1
    if (this.#faults.length === FAULTS_MAX) return
    const writer = this.#options.ledger.standing(key)?.peer
    const said = why ?? `found nothing, although peer ${writer} had written it`
    this.#faults.push(`Peer ${peer} read key ${key} for ${durationText(tookMs)}: ${said}`)
  }

  #settle(peer: number, { key, value }: OrderedWrite, version: PeerWorked['writes'][number]): void {
    const { cities, ledger } = this.#options
    if (version === null) {
      this.#failedWrites += 1
      ledger.leaveOpen(key, value)
      return
    }
    ledger.acknowledge({ peer, key, value, version })
    if (value === null || cities.has(key)) return
    this.#present.push(key)
    this.#fresh.push(key)
  }

  #reads(): string[] {
    const { random } = this.#options
    const drawn = Array.from({ length: ROUND_READS }, () => this.#present[Math.floor(random() * this.#present.length)]!)
    return [...this.#fresh.splice(0, ROUND_READS), ...drawn].slice(0, ROUND_READS)
  }

  /** An edit in every round, and an added town or a deleted city in turns. */
  #writes(peer: number, round: number): OrderedWrite[] {
    const { cities, random } = this.#options
    const edited = this.#present[Math.floor(random() * this.#present.length)]!
    const population = Math.floor(random() * 1e7)
    const edit = { key: edited, value: { ...(cities.get(edited) ?? townOf(edited)), population, edit: `peer ${peer}` } }
    if (round % 2 === 0) {
      const key = `town-${peer}-${this.#added++}`
      return [edit, { key, value: townOf(key) }]
    }
    const deleted = this.#deletable.pop()
    return deleted === undefined ? [edit] : [edit, { key: deleted, value: null }]
  }
}

function townOf(key: string): object {
  return searchable({ name: `New town ${key}`, country: 'XX', population: 1 })
}
