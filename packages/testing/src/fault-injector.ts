import type { EventQueue } from './event-queue.ts'
import type { FaultKind, FaultMix } from './fault-mix.ts'
import type { Losses } from './losses.ts'
import type { Random } from './random.ts'
import type { CrashOutcome } from './simulated-disk.ts'
import type { SimulatedNetwork } from './simulated-network.ts'
import type { SimulatedPeer } from './simulated-peer.ts'

/**
 * Usual milliseconds between two faults of a kind at full intensity. At the lowest intensity it is ten times as long.
 */
const EVERY_MS: Partial<Record<FaultKind, number>> = {
  'deaf-broadcast': 8000,
  'connection-break': 1500,
  split: 15_000,
  'one-way-split': 8000,
  'slow-links': 10_000,
  crash: 4000,
  restart: 6000,
  'power-cut': 15_000,
  'torn-write': 8000,
  'damaged-blob': 15_000,
  'lost-disk': 25_000,
  'restored-disk': 30_000,
  'full-disk': 15_000,
  'clock-jump': 6000,
  'clock-stop': 10_000,
  'clock-ahead': 60_000,
}

const SKEW_MAX_MS = 20_000

/** Injects faults, each kind at its own pace, until everything is healed. */
export class FaultInjector {
  readonly counts: Map<FaultKind, number> = new Map<FaultKind, number>()
  readonly #queue: EventQueue
  readonly #random: Random
  readonly #network: SimulatedNetwork
  readonly #machines: readonly SimulatedPeer[]
  readonly #losses: Losses
  #healed = false

  constructor(
    queue: EventQueue,
    random: Random,
    network: SimulatedNetwork,
    machines: readonly SimulatedPeer[],
    losses: Losses,
  ) {
    this.#queue = queue
    this.#random = random
    this.#network = network
    this.#machines = machines
    this.#losses = losses
  }

  start(mix: FaultMix): void {
    for (const [kind, intensity] of mix) {
      const everyMs = EVERY_MS[kind]
      if (everyMs === undefined) this.counts.set(kind, 1)
      else this.#repeat(kind, everyMs / intensity, this.#random.fork(kind))
    }
  }

  /**
   * Ends all faults: opens the paths, makes room on the disks, lets the clocks run and starts the machines that are
   * down.
   */
  heal(): void {
    this.#healed = true
    this.#network.heal()
    for (const machine of this.#machines) {
      machine.disk.full = false
      machine.disk.delayMaxMs = 5
      machine.clock.go()
      machine.start()
    }
  }

  #repeat(kind: FaultKind, everyMs: number, random: Random): void {
    this.#queue.after(everyMs * (0.5 + random.fraction()), () => {
      if (this.#healed) return
      this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1)
      this.#cause(kind, random)
      this.#repeat(kind, everyMs, random)
    })
  }

  #cause(kind: FaultKind, random: Random): void {
    const machine = random.pick(this.#machines)
    switch (kind) {
      case 'crash':
        this.#crash(machine, random.pick(['whole', 'nothing']), random)
        break
      case 'torn-write':
        this.#losses.damage(machine, () => this.#crash(machine, 'torn', random))
        break
      case 'power-cut':
        for (const each of random.shuffle(this.#machines).slice(0, random.between(2, this.#machines.length))) {
          this.#crash(each, random.pick(['whole', 'nothing']), random)
        }
        break
      case 'restart':
        machine.close()
        this.#startLater(machine, random)
        break
      case 'lost-disk':
        this.#crash(machine, 'nothing', random)
        this.#losses.damage(machine, () => machine.disk.lose())
        break
      case 'damaged-blob':
        this.#damage(machine, random)
        break
      case 'restored-disk':
        this.#restore(machine, random)
        break
      case 'full-disk':
        machine.disk.full = true
        this.#later(random.between(500, 15_000), () => (machine.disk.full = false))
        break
      case 'clock-jump':
      case 'clock-stop':
      case 'clock-ahead':
        this.#disturbClock(kind, machine, random)
        break
      default:
        this.#disturbNetwork(kind, random)
    }
  }

  #disturbNetwork(kind: FaultKind, random: Random): void {
    const { links } = this.#network
    const count = this.#machines.length
    switch (kind) {
      case 'connection-break':
        this.#network.breakLink(random.pick(links))
        break
      case 'deaf-broadcast':
        random.pick(random.pick(links).ends).deaf = true
        break
      case 'split': {
        const groups = random.between(2, 3)
        this.#network.split(this.#machines.map(() => random.below(groups)))
        this.#later(random.between(1000, 25_000), () => this.#network.split(this.#machines.map(() => 0)))
        break
      }
      case 'one-way-split': {
        const pairs = Array.from({ length: count }, () => [random.below(count), random.below(count)] as const)
        for (const [from, to] of pairs) this.#network.closeOneWay(from, to)
        this.#later(random.between(1000, 20_000), () => {
          for (const [from, to] of pairs) this.#network.openOneWay(from, to)
        })
        break
      }
      case 'slow-links': {
        const slow = Array.from({ length: count }, () => random.pick(links))
        for (const link of slow) link.slowMs = random.between(200, 4000)
        this.#later(random.between(1000, 20_000), () => slow.forEach((link) => (link.slowMs = 0)))
        break
      }
      default:
        throw new Error(`${kind} is no fault of the network`)
    }
  }

  #disturbClock(kind: FaultKind, machine: SimulatedPeer, random: Random): void {
    const { clock } = machine
    if (kind === 'clock-jump') clock.skewMs = random.between(-SKEW_MAX_MS, SKEW_MAX_MS)
    else if (kind === 'clock-stop') {
      clock.stop()
      this.#later(random.between(500, 20_000), () => clock.go())
    } else {
      // Far enough for other peers to quarantine the writes until their own clocks have come near.
      const skewMs = clock.skewMs
      clock.skewMs = random.between(70_000, 150_000)
      this.#later(random.between(500, 5000), () => (clock.skewMs = skewMs))
    }
  }

  #damage(machine: SimulatedPeer, random: Random): void {
    this.#crash(machine, 'nothing', random)
    const blobs = machine.disk.blobs()
    if (blobs.length === 0) return
    this.#losses.damage(machine, () => {
      // Segments first: a vector claims what is in them.
      const segments = blobs.filter(([key]) => key.startsWith('seg/'))
      const [key] = random.pick(segments.length > 0 && random.chance(0.6) ? segments : blobs)
      machine.disk.damage(key)
    })
  }

  #restore(machine: SimulatedPeer, random: Random): void {
    if (!machine.persistent) return
    const snapshot = machine.disk.snapshot()
    this.#later(random.between(1000, 30_000), () => {
      this.#crash(machine, 'nothing', random)
      this.#losses.damage(machine, () => {
        machine.disk.restore(snapshot)
        machine.replicaIdReused()
      })
    })
  }

  #crash(machine: SimulatedPeer, outcome: CrashOutcome, random: Random): void {
    machine.crash(outcome)
    this.#losses.crashed()
    this.#startLater(machine, random)
  }

  #startLater(machine: SimulatedPeer, random: Random): void {
    this.#later(random.mostlySmall(50, 15_000), () => machine.start())
  }

  #later(delayMs: number, run: () => void): void {
    this.#queue.after(delayMs, () => {
      if (!this.#healed) run()
    })
  }
}
