import { GridError } from '@gossipgrid/core'
import type { PartitionName, Peer } from '@gossipgrid/core'
import { onAbort } from '../flow/on-abort.ts'
import { settlesWithin } from '../runtime/waiting.ts'
import type { Pump } from '../runtime/write-path.ts'
import type { ReadOptions } from './after-token.ts'
import { readToken } from '../receipts/read-token.ts'
import type { NamedDot } from '../receipts/read-token.ts'

const TIMEOUT_MS = 10_000
/** Reads that may wait at a time. */
const WAITS_MAX = 10_000
/** With more pairs of partition and replica id than this, they are looked at only every `LOOK_GAP_MS`. */
const GROUPS_AT_ONCE_MAX = 256
const LOOK_GAP_MS = 10
/** The source of these wishes: what made-up tokens ask for in vain must not make sessions for another reason rare. */
const SOURCE = 'tokens'

/** One write that a read waits for. */
interface Wait {
  readonly sequence: number
  reached(): void
}

/** The waits for writes of one replica id to one partition. */
interface Group {
  readonly name: PartitionName
  readonly replicaId: string
  readonly waits: Set<Wait>
  /** How far its writes were applied at the last look. */
  head: number
}

/** Reads that wait until this peer has applied a write of another one. */
export class TokenWaits {
  readonly #pump: Pump
  readonly #groups = new Map<string, Group>()
  readonly #unlook: () => void
  #count = 0
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(pump: Pump) {
    this.#pump = pump
    this.#unlook = pump.afterSteps(() => this.#lookSoon())
    onAbort(pump.closing, () => this.#close())
  }

  /** See `Grid.reached`. */
  async reached(token: string, { timeoutMs = TIMEOUT_MS, signal }: Omit<ReadOptions, 'after'>): Promise<void> {
    const { peer } = this.#pump
    const missing = readToken(token, peer.collections.seed).filter((dot) => this.#head(dot) < dot.sequence)
    if (missing.length === 0) return
    if (this.#count >= WAITS_MAX)
      throw new GridError('BACKLOG_FULL', `${WAITS_MAX} reads already wait for writes: wait for some of them first`)
    peer.antiEntropy.wantFrom(SOURCE, this.#pump.now())
    this.#count += 1
    const waits = missing.map((dot) => this.#wait(dot))
    try {
      const all = Promise.all(waits.map(({ promise }) => promise))
      const inTime = await settlesWithin(all, timeoutMs, { signal })
      if (this.#pump.closing.aborted) throw new GridError('CLOSED', 'the grid was closed')
      if (!inTime) throw late(missing.find((dot) => this.#head(dot) < dot.sequence) ?? missing[0]!, timeoutMs)
    } finally {
      this.#count -= 1
      for (const { stop } of waits) stop()
    }
  }

  #wait(dot: NamedDot): { readonly promise: Promise<void>; readonly stop: () => void } {
    const { name, replicaId, sequence } = dot
    const key = `${replicaId} ${name.kind} ${name.partition} ${name.collection}`
    const group = this.#groups.get(key) ?? { name, replicaId, waits: new Set(), head: this.#head(dot) }
    this.#groups.set(key, group)
    const { promise, resolve } = Promise.withResolvers<void>()
    const wait = { sequence, reached: resolve }
    group.waits.add(wait)
    const stop = (): void => {
      group.waits.delete(wait)
      if (group.waits.size === 0 && this.#groups.get(key) === group) this.#groups.delete(key)
    }
    return { promise, stop }
  }

  /** All writes of the replica id to the partition up to this one are applied. Of a collection that was dropped none is missing. */
  #head({ name, replicaId }: Pick<NamedDot, 'name' | 'replicaId'>): number {
    const { collections }: Peer = this.#pump.peer
    if (collections.dropped.isDropped(name)) return Infinity
    const writer = collections.ids.indexOf(replicaId)
    return writer === undefined ? 0 : (collections.find(name)?.replica.vector.head(writer) ?? 0)
  }

  #lookSoon(): void {
    if (this.#groups.size <= GROUPS_AT_ONCE_MAX) this.#look()
    else
      this.#timer ??= setTimeout(() => {
        this.#timer = undefined
        this.#look()
      }, LOOK_GAP_MS)
  }

  #look(): void {
    for (const group of this.#groups.values()) {
      const head = this.#head(group)
      if (head === group.head) continue
      group.head = head
      for (const wait of group.waits) if (wait.sequence <= head) wait.reached()
    }
  }

  #close(): void {
    clearTimeout(this.#timer)
    this.#unlook()
    for (const { waits } of this.#groups.values()) for (const wait of waits) wait.reached()
  }
}

function late({ name, replicaId, sequence }: NamedDot, timeoutMs: number): GridError {
  const write = `write ${sequence} of replica ${replicaId} to '${name.collection}'`
  return new GridError('TOKEN_TIMEOUT', `after ${timeoutMs} ms this peer does not have ${write} yet`)
}

const waitsByPump = new WeakMap<Pump, TokenWaits>()

/** The waits of a grid. */
export function tokenWaitsOf(pump: Pump): TokenWaits {
  const known = waitsByPump.get(pump)
  const waits = known ?? new TokenWaits(pump)
  if (known === undefined) waitsByPump.set(pump, waits)
  return waits
}
