import type { Peer } from '@gossipgrid/core'
import { compareVersions, heldVersion } from './held-state.ts'
import { isOwed } from './ledger.ts'
import type { Ledger, LedgerWrite } from './ledger.ts'
import type { SimulatedPeer } from './simulated-peer.ts'

/**
 * Tells which acknowledged writes may honestly be lost. A write that is acknowledged has one durable copy. When a disk
 * loses it and no other disk has it, it hangs on the peers that hold it in memory; once they are gone too, nobody can
 * be asked for it any more. A write that was on no disk when it was acknowledged is never excused.
 */
export class Losses {
  readonly #ledger: Ledger
  readonly #machines: readonly SimulatedPeer[]
  /** On no disk any more, in somebody's memory still. */
  #fragile: LedgerWrite[] = []
  #excused = 0

  constructor(ledger: Ledger, machines: readonly SimulatedPeer[]) {
    this.#ledger = ledger
    this.#machines = machines
  }

  get excused(): number {
    return this.#excused
  }

  /** Disks that hold a write, or a larger version of its key: counted up to `enough`, since opening a disk takes long. */
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

  /** Lets something happen to the disk of a machine that is down, and notes what is lost by it. */
  damage(machine: SimulatedPeer, happen: () => void): void {
    const before = machine.stored()
    happen()
    const after = machine.stored()
    this.#sort([...this.#fragile, ...(before === after ? [] : this.#lost(before, after))])
  }

  /** A machine has crashed: what hung on its memory may be gone. */
  crashed(): void {
    if (this.#fragile.length > 0) this.#sort(this.#fragile)
  }

  /** What is owed and was there before. */
  *#lost(before: Peer, after: Peer): Generator<LedgerWrite, void, undefined> {
    for (const { collection, key, writes } of this.#ledger.keys) {
      const was = heldVersion(before, collection, key)
      const is = heldVersion(after, collection, key)
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
    return this.#ledger.fulfils(heldVersion(peer, write.collection, write.key), write)
  }
}
