import type { Application } from './application.ts'
import type { EventQueue } from './event-queue.ts'
import type { Random } from './random.ts'
import type { SimulatedPeer } from './simulated-peer.ts'

/** How busy the applications on top of the peers are. */
export interface WorkloadTraits {
  /** Usual milliseconds between two writes of one peer. */
  readonly everyMs: number
  /** Share of writes that come in a run of hundreds. */
  readonly burstShare: number
}

/** Lets the applications write, delete and read at every peer. */
export class Workload {
  readonly #queue: EventQueue
  readonly #random: Random
  readonly #machines: readonly SimulatedPeer[]
  readonly #applications: readonly Application[]
  readonly #traits: WorkloadTraits
  #ended = false

  constructor(
    queue: EventQueue,
    random: Random,
    machines: readonly SimulatedPeer[],
    applications: readonly Application[],
    traits: WorkloadTraits,
  ) {
    this.#queue = queue
    this.#random = random
    this.#machines = machines
    this.#applications = applications
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
      for (let left = burst ? this.#random.between(50, 400) : 1; left > 0; left--) this.#act(machine)
      this.#next(machine)
    })
  }

  #act(machine: SimulatedPeer): void {
    const [only, another] = this.#applications
    const application = another === undefined ? only! : this.#random.pick(this.#applications)
    application.act(machine, this.#random)
    application.read(machine, this.#random)
  }
}
