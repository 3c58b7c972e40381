import type { Peer } from '@gossipgrid/core'
import { compareVersions, versionOf } from './peer-state.ts'
import { isOwed } from './ledger.ts'
import type { Ledger, LedgerWrite } from './ledger.ts'
import type { SimulatedPeer } from './simulated-peer.ts'

/**
 * Decides which acknowledged writes may be lost. An acknowledged write has one durable copy. If its disk loses it and
 * no other disk has it, only the memory of running peers does. Once these are gone too, the loss is excused. The loss
 * of a write that was on no disk when it was acknowledged is never excused.
 */
export class Losses {
  readonly #ledger: Ledger
  readonly #machines: readonly SimulatedPeer[]
  /** Writes that are on no disk any more, but in the memory of a running peer. */
  #fragile: LedgerWrite[] = []
  #excused = 0

  constructor(ledger: Ledger, machines: readonly SimulatedPeer[]) {
    this.#ledger = ledger
    this.#machines = machines
  }

  get excused(): number {
    return this.#excused
  }

  /**
   * Disks that have a write, or a larger version of its key. Counts up to `enough`, since opening a disk takes long.
   */
  copies(write: LedgerWrite, enough: number): number {
    const isLikely = ({ peer }: SimulatedPeer): boolean => peer !== undefined && this.#holds(peer, write)
    const disks = this.#machines.filter(({ persistent }) => persistent)
    let found = 0
    for (const machine of disks.toSorted((a, b) => Number(isLikely(b)) - Number(isLikely(a)))) {
      if (this.#holds(machine.stored(), write)) found += 1
      if (found === enough) break
    }
    return found
  }

  /** Changes the disk of a machine that is down, and records the writes that this loses. */
  damage(machine: SimulatedPeer, happen: () => void): void {
    const before = machine.stored()
    happen()
    const after = machine.stored()
    this.#sort([...this.#fragile, ...(before === after ? [] : this.#lost(before, after))])
  }

  /** A machine has crashed: writes that only its memory had may be gone. */
  crashed(): void {
    if (this.#fragile.length > 0) this.#sort(this.#fragile)
  }

  /** Owed writes that were there before and are gone now. */
  *#lost(before: Peer, after: Peer): Generator<LedgerWrite, void, undefined> {
    for (const { collection, key, writes } of this.#ledger.keys) {
      const was = versionOf(before, collection, key)
      const is = versionOf(after, collection, key)
      if (was === undefined || (is !== undefined && compareVersions(was, is) === 0)) continue
      for (const write of writes) {
        if (isOwed(write) && this.#ledger.fulfils(was, write) && !this.#ledger.fulfils(is, write)) yield write
      }
    }
  }

  #sort(writes: readonly LedgerWrite[]): void {
    this.#fragile = []
    if (writes.length === 0) return
    const disks = this.#machines.filter((machine) => machine.persistent)
    for (const write of writes) {
      if (disks.some((machine) => this.#holds(machine.stored(), write))) continue
      if (this.#machines.some(({ peer }) => peer !== undefined && this.#holds(peer, write))) this.#fragile.push(write)
      else {
        write.excused = true
        this.#excused += 1
      }
    }
  }

  #holds(peer: Peer, write: LedgerWrite): boolean {
    return this.#ledger.fulfils(versionOf(peer, write.collection, write.key), write)
  }
}
