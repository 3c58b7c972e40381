import type { EventQueue } from './event-queue.ts'
import type { Random } from './random.ts'
import type { SimulatedPeer } from './simulated-peer.ts'

/** What the applications on top of the peers do. */
export interface WorkloadTraits {
  readonly collections: readonly string[]
  readonly keys: number
  /** Usual milliseconds between two writes of one peer. */
  readonly everyMs: number
  readonly deleteShare: number
  /** Longest filler of a value. */
  readonly valueMaxBytes: number
  /** Share of writes that come as a run of hundreds. */
  readonly burstShare: number
}

/** Writes and deletes at every peer, on few keys, so that peers meet on them. */
export class Workload {
  readonly #queue: EventQueue
  readonly #random: Random
  readonly #machines: readonly SimulatedPeer[]
  readonly #traits: WorkloadTraits
  #count = 0
  #ended = false

  constructor(queue: EventQueue, random: Random, machines: readonly SimulatedPeer[], traits: WorkloadTraits) {
    this.#queue = queue
    this.#random = random
    this.#machines = machines
    this.#traits = traits
  }

  start(): void {
    for (const machine of this.#machines) this.#next(machine)
  }

  end(): void {
    this.#ended = true
  }

  #next(machine: SimulatedPeer): void {
    this.#queue.after(this.#random.between(0, 2 * this.#traits.everyMs), () => {
      if (this.#ended) return
      const burst = this.#random.chance(this.#traits.burstShare)
      for (let left = burst ? this.#random.between(50, 400) : 1; left > 0; left--) this.#write(machine)
      this.#next(machine)
    })
  }

  #write(machine: SimulatedPeer): void {
    const random = this.#random
    const { collections, keys, deleteShare, valueMaxBytes } = this.#traits
    // Some keys are written by everybody all the time, others hardly ever.
    const key = `key ${random.mostlySmall(0, keys - 1)}`
    const collection = random.pick(collections)
    this.#count += 1
    const filler = 'x'.repeat(random.mostlySmall(0, valueMaxBytes))
    machine.write(collection, key, random.chance(deleteShare) ? undefined : [this.#count, machine.index, filler])
  }
}
