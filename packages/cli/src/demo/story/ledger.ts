import type { AckedVersion } from '../cluster/peer-calls.ts'
import { valueHash } from '../cluster/value-hash.ts'

/** A write that a peer has acknowledged. */
export interface AcknowledgedWrite {
  readonly peer: number
  readonly key: string
  /** Null for a delete. */
  readonly value: object | null
  readonly version: AckedVersion
}

/** An entry of a peer that differs from what it must be. */
export interface Mismatch {
  readonly peer: number
  readonly key: string
  /**
   * `missing`: the acknowledged value is not there; `changed`: another value is; `resurrected`: the key was deleted;
   * `unknown`: no peer has ever written the key.
   */
  readonly kind: 'missing' | 'changed' | 'resurrected' | 'unknown'
}

interface Standing extends AcknowledgedWrite {
  /** Computed when first needed. */
  hash: string | null
}

/**
 * The expected entries, kept outside of all peers: every acknowledged write with its version. The grid promises that
 * the larger (hlc, replica id) wins, which gives one write for each key. The ledger takes nothing from the peers but
 * their acknowledgements.
 */
export class DemoLedger {
  readonly #standing = new Map<string, Standing>()
  /** Writes whose peer was killed before it answered: they may be there or not. */
  readonly #open = new Map<string, (object | null)[]>()
  /** Keys written during a split, with the sides that wrote them. */
  readonly #splitKeys = new Map<string, Set<number>>()
  #writes = 0
  #splitWrites = 0
  #live = 0

  /** Acknowledged writes so far. */
  get writes(): number {
    return this.#writes
  }

  /** Acknowledged writes during the split. */
  get splitWrites(): number {
    return this.#splitWrites
  }

  /** Entries that every peer must have in the end, by the acknowledged writes. */
  get entries(): number {
    return this.#live
  }

  /** By how many entries a peer may differ from that: keys with a write that was never answered. */
  get uncertain(): number {
    return this.#open.size
  }

  /** Keys with acknowledged writes on more than one side of the split. */
  get conflicts(): number {
    let count = 0
    for (const sides of this.#splitKeys.values()) if (sides.size > 1) count += 1
    return count
  }

  /** Records an acknowledged write; `side` during a split. */
  acknowledge(write: AcknowledgedWrite, side?: number): void {
    this.#writes += 1
    if (side !== undefined) {
      this.#splitWrites += 1
      const sides = this.#splitKeys.get(write.key) ?? new Set()
      this.#splitKeys.set(write.key, sides.add(side))
    }
    const standing = this.#standing.get(write.key)
    if (standing !== undefined && !supersedes(write.version, standing.version)) return
    this.#live += (write.value === null ? 0 : 1) - (standing === undefined || standing.value === null ? 0 : 1)
    this.#standing.set(write.key, { ...write, hash: null })
  }

  /** Records a write that was never acknowledged because its peer was killed. */
  leaveOpen(key: string, value: object | null): void {
    const values = this.#open.get(key) ?? []
    values.push(value)
    this.#open.set(key, values)
  }

  /** The winning write for a key. */
  standing(key: string): AcknowledgedWrite | undefined {
    return this.#standing.get(key)
  }

  /** Whether every write of a key was answered. */
  isCertain(key: string): boolean {
    return !this.#open.has(key)
  }

  /** The winning writes of all keys. */
  all(): IterableIterator<AcknowledgedWrite> {
    return this.#standing.values()
  }

  /** Compares the entries of a peer, as value hashes by key, with the expected ones. */
  check(peer: number, hashes: ReadonlyMap<string, string>): Mismatch[] {
    const mismatches: Mismatch[] = []
    for (const [key, standing] of this.#standing) {
      const found = hashes.get(key)
      if (found === this.#hashOf(standing) || this.#mayBe(key, found)) continue
      const kind = standing.value === null ? 'resurrected' : found === undefined ? 'missing' : 'changed'
      mismatches.push({ peer, key, kind })
    }
    for (const [key, found] of hashes) {
      if (!this.#standing.has(key) && !this.#mayBe(key, found)) mismatches.push({ peer, key, kind: 'unknown' })
    }
    return mismatches
  }

  #hashOf(standing: Standing): string | undefined {
    if (standing.value === null) return undefined
    return (standing.hash ??= valueHash(standing.value))
  }

  #mayBe(key: string, found: string | undefined): boolean {
    const values = this.#open.get(key)
    return values !== undefined && values.some((value) => (value === null ? undefined : valueHash(value)) === found)
  }
}

function supersedes(version: AckedVersion, other: AckedVersion): boolean {
  return version[0] === other[0] ? version[1] > other[1] : version[0] > other[0]
}
