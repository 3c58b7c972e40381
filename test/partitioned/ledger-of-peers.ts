import { setTimeout as delay } from 'node:timers/promises'
import type { PeerState } from './peer-program.ts'
import type { PartitionedPeer } from './peer-process.ts'

interface Found {
  readonly values: Readonly<Record<string, number>>
  readonly unanswered: readonly string[]
}

const WAIT_MAX_MS = 170_000
const KEYS_AT_ONCE = 100

/** Waits until it holds. */
export async function until(holds: () => Promise<boolean>, what: string): Promise<void> {
  const endMs = performance.now() + WAIT_MAX_MS
  while (!(await holds())) {
    if (performance.now() > endMs) throw new Error(`still not: ${what}`)
    await delay(200)
  }
}

export function stateOf(peer: PartitionedPeer): Promise<PeerState> {
  return peer.ask<PeerState>({ call: 'state' })
}

/** What peers have acknowledged. Values of a key only grow, and each key has one writer: so a smaller one that is read is an old one. */
export class PeerLedger {
  readonly #acknowledged = new Map<string, number>()
  readonly #writing: Promise<void>[] = []
  #isEnding = false
  /** How many writes were acknowledged. */
  count = 0

  /** Writes on and on, each key after the other, until `end`. The keys begin with the name. */
  writeOn(peer: PartitionedPeer, name: string, keys: number): void {
    const write = async (): Promise<void> => {
      for (let i = 1; !this.#isEnding; i++) {
        const key = `${name} ${i % keys}`
        await peer.ask({ call: 'set', key, value: i })
        this.#acknowledged.set(key, i)
        this.count += 1
      }
    }
    this.#writing.push(write())
  }

  /** Writes keys once, and waits until so many owners have each of them, and every other peer in reach that has a copy. */
  async writeAll(peer: PartitionedPeer, name: string, value: number, copies: number): Promise<void> {
    const write = async (place: number): Promise<void> => {
      const key = `${name} ${place}`
      await peer.ask({ call: 'set', key, value, options: { copies, timeoutMs: WAIT_MAX_MS } })
      this.#acknowledged.set(key, value)
    }
    await Promise.all(Array.from({ length: KEYS_AT_ONCE }, (_, place) => write(place)))
  }

  /** Ends all writing. */
  async end(): Promise<void> {
    this.#isEnding = true
    await Promise.all(this.#writing)
  }

  /** What a peer reads of the keys that begin with one of these names, compared with what was acknowledged before. */
  async compare(
    peer: PartitionedPeer,
    names: readonly string[],
    timeoutMs: number = 20_000,
  ): Promise<{ readonly wrong: readonly string[]; readonly unknown: number; readonly right: number }> {
    const owed = [...this.#acknowledged].filter(([key]) => names.some((name) => key.startsWith(`${name} `)))
    const keys = owed.map(([key]) => key)
    const { values, unanswered } = await peer.ask<Found>({ call: 'getMany', keys, timeoutMs })
    const unknown = new Set(unanswered)
    const wrong = owed.flatMap(([key, value]) => {
      const found = values[key]
      const isWrong = !unknown.has(key) && (found === undefined || found < value)
      return isWrong ? [`'${key}' is ${found}, and ${value} was acknowledged`] : []
    })
    return { wrong, unknown: unknown.size, right: keys.length - unknown.size - wrong.length }
  }

  /** Waits until a peer knows all that was acknowledged. */
  async readBy(peer: PartitionedPeer, names: readonly string[]): Promise<void> {
    await until(async () => {
      const { unknown, wrong } = await this.compare(peer, names)
      return wrong.length === 0 && unknown === 0
    }, 'all acknowledged writes are read')
  }
}
