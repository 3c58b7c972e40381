import { BROADCAST_MAX_BYTES, MESSAGE_MAX_BYTES, SESSIONS_MAX, encodeValue, openPeer } from '@gossipgrid/core'
import type { Effect, Input, Peer, PeerEvent } from '@gossipgrid/core'
import { ReadCheck, checkCoverage } from './checkers.ts'
import type { Violation } from './checkers.ts'
import type { EventQueue } from './event-queue.ts'
import { hasSeen } from './held-state.ts'
import type { Ledger, LedgerWrite } from './ledger.ts'
import { Random } from './random.ts'
import type { SimulatedClock } from './simulated-clock.ts'
import type { CrashOutcome, SimulatedDisk } from './simulated-disk.ts'
import type { SimulatedNetwork } from './simulated-network.ts'
import type { TraceHash } from './trace-hash.ts'

/** More effects of one step than any input here can honestly cause. */
const EFFECTS_MAX = 5000
const UNDURABLE_MAX_BYTES = 32 * 1024 * 1024
/** A peer that asks to be woken at once so many times in a row, with nothing happening, burns a processor. */
const WAKES_IN_A_ROW_MAX = 200

/** What all machines of a simulation share. */
export interface SimulatedWorld {
  readonly queue: EventQueue
  readonly network: SimulatedNetwork
  readonly ledger: Ledger
  readonly trace: TraceHash
  readonly collections: readonly string[]
  /** A peer tells that so many durable copies of a write exist. */
  confirmed(write: LedgerWrite, copies: number): void
  /** An anti-entropy session has carried so many rows. */
  travelled(rows: number): void
  violated(violation: Violation): void
}

/** Opens whatever a disk holds, as a peer that takes part in nothing. */
function openDisk(disk: SimulatedDisk, clock: SimulatedClock, peerId: string): Peer {
  return openFrom(disk, clock, peerId, new Random(1), true)
}

function openFrom(
  disk: SimulatedDisk,
  clock: SimulatedClock,
  peerId: string,
  random: Random,
  persistent: boolean,
): Peer {
  const opening = openPeer({
    peerId,
    gridName: 'simulation',
    random,
    persistent,
    software: 'simulator',
    addresses: [peerId],
  })
  for (const [key, bytes] of persistent ? disk.blobs() : []) opening.offer(key, bytes)
  return opening.finish(clock.now())
}

export function peerIdOf(index: number): string {
  return `peer-${index}`
}

function indexOf(peerId: string): number {
  return Number(peerId.slice(peerId.indexOf('-') + 1))
}

/** One machine: a disk and clocks that stay, and a peer that comes and goes. It performs the peer's effects. */
export class SimulatedPeer {
  readonly index: number
  readonly disk: SimulatedDisk
  readonly clock: SimulatedClock
  /** False for a machine whose peer keeps everything in memory. */
  readonly persistent: boolean
  readonly #world: SimulatedWorld
  readonly #random: Random
  #peer: Peer | undefined
  #reads: ReadCheck | undefined
  #life = 0
  #openedAs = ''
  #wakeMs = Infinity
  #wakesInARow = 0
  /** Writes whose copies the peer counts, by the number of the request. */
  readonly #counted = new Map<number, LedgerWrite>()

  constructor(
    world: SimulatedWorld,
    index: number,
    disk: SimulatedDisk,
    clock: SimulatedClock,
    persistent: boolean,
    random: Random,
  ) {
    this.#world = world
    this.index = index
    this.disk = disk
    this.clock = clock
    this.persistent = persistent
    this.#random = random
  }

  /** The running peer, undefined while the machine is down. */
  get peer(): Peer | undefined {
    return this.#peer
  }

  /** What the disk alone would give. */
  stored(): Peer {
    return openDisk(this.disk, this.clock, peerIdOf(this.index))
  }

  start(): void {
    if (this.#peer !== undefined) return
    const { world, peer } = { world: this.#world, peer: this.#open() }
    this.#peer = peer
    this.#reads = new ReadCheck(peer, world.ledger.reusedIds)
    this.#openedAs = peer.replicaId
    this.#wakesInARow = 0
    for (const name of world.collections) this.#openCollection(peer, name)
    world.trace.number(this.index)
    world.trace.text(peer.replicaId)
    this.#check(checkCoverage(world.ledger, peer))
    world.network.up(this.index)
    this.#step({ type: 'tick' })
  }

  /** The power goes. Returns the writes that never happened: nobody was told of them, and they are not on disk. */
  crash(outcome: CrashOutcome): void {
    if (this.#peer === undefined) return
    this.#stop()
    this.disk.crash(outcome)
    if (!this.persistent) {
      // What a peer without a disk wrote may live on elsewhere, and its dots are never given out again.
      this.#world.ledger.endLife(this.index)
      return
    }
    const pending = this.#world.ledger.endLife(this.index)
    if (pending.length === 0) return
    const stored = this.stored()
    for (const write of pending) {
      write.withdrawn = !hasSeen(stored, write.collection, write.replicaId, write.sequence)
    }
  }

  /** The disk was set back: what the peer gives out next, it has given out before. */
  replicaIdReused(): void {
    this.#world.ledger.reusedIds.add(this.stored().replicaId)
  }

  /** Says goodbye and ends. */
  close(): void {
    if (this.#peer === undefined) return
    this.#perform(this.#peer.goodbye(false, this.clock.now()))
    const life = this.#life
    this.#world.queue.after(5, () => {
      if (this.#life === life) this.crash('whole')
    })
  }

  /** One write of the application, which then reads what it wrote. */
  write(collection: string, key: string, payload: readonly unknown[] | undefined): void {
    const peer = this.#peer
    if (peer === undefined) return
    const { ledger, trace } = this.#world
    const value = payload === undefined ? undefined : encodeValue(payload, 1 << 20)
    const partition = peer.collections.get(collection)!.partitions[0]!
    const written = peer.write(partition, key, value, this.clock.now())
    const { hlc, replicaId, sequence, writeId } = written
    ledger.add({ collection, key, value, hlc, replicaId, sequence, writeId, peer: this.index })
    trace.number(hlc)
    this.#check(this.#reads?.read(collection, key))
    this.#step({ type: 'tick' })
  }

  /** Takes an input if the machine is up. */
  take(input: Input): void {
    if (this.#peer !== undefined) this.#step(input)
  }

  #open(): Peer {
    this.#life += 1
    const random = this.#random.fork(`life ${this.#life}`)
    return openFrom(this.disk, this.clock, peerIdOf(this.index), random, this.persistent)
  }

  #openCollection(peer: Peer, name: string): void {
    const collection = peer.open({ name, kind: 'map', mode: 'replicated', partitions: 1 })
    const { replica } = collection.partitions[0]!
    replica.observer = {
      changed: (slot) => this.#check(this.#reads?.read(name, replica.table.key(slot))),
      discarded: () => {},
    }
  }

  #stop(): void {
    this.#peer = undefined
    this.#reads = undefined
    this.#counted.clear()
    this.#wakeMs = Infinity
    this.#world.network.down(this.index)
    this.#world.trace.number(this.index)
  }

  #step(input: Input): void {
    const peer = this.#peer!
    const { queue, trace } = this.#world
    trace.number(queue.nowMs * 128 + this.index)
    this.#perform(peer.step(input, this.clock.now()))
    if (this.#peer === peer) this.#wakeLater(peer)
  }

  #wakeLater(peer: Peer): void {
    const { queue } = this.#world
    const wanted = Math.ceil(this.clock.timeOf(peer.wakeAtMs))
    const at = Math.max(queue.nowMs + 1, wanted)
    if (wanted > queue.nowMs) this.#wakesInARow = 0
    if (at >= this.#wakeMs) return
    this.#wakeMs = at
    const life = this.#life
    queue.at(at, () => {
      if (this.#life !== life || this.#peer !== peer || this.#wakeMs !== at) return
      this.#wakeMs = Infinity
      this.#wakesInARow += 1
      if (this.#wakesInARow > WAKES_IN_A_ROW_MAX) {
        this.#check(`unbounded: ${peer.peerId} asks again and again to be woken at once`)
      }
      this.#step({ type: 'tick' })
    })
  }

  #perform(effects: readonly Effect[]): void {
    const peer = this.#peer!
    if (effects.length > EFFECTS_MAX) this.#check(`unbounded: ${effects.length} effects of one step of ${peer.peerId}`)
    for (const effect of effects) this.#performOne(effect)
    if (peer.commit.undurableBytes > UNDURABLE_MAX_BYTES) this.#check(`unbounded: ${peer.peerId} stores nothing`)
    if (peer.antiEntropy.sessionCount > SESSIONS_MAX) this.#check(`unbounded: sessions of ${peer.peerId}`)
  }

  #performOne(effect: Effect): void {
    const { network, trace } = this.#world
    switch (effect.type) {
      case 'send':
        this.#checkSize(effect.bytes, MESSAGE_MAX_BYTES)
        trace.bytes(effect.bytes)
        network.send(this.index, indexOf(effect.to), effect.bytes)
        break
      case 'broadcast':
        this.#checkSize(effect.bytes, BROADCAST_MAX_BYTES)
        trace.bytes(effect.bytes)
        network.broadcast(this.index, effect.bytes)
        break
      case 'store':
        this.#store(effect)
        break
      case 'dial':
        network.dial(this.index, indexOf(effect.peerId))
        break
      case 'redial':
        network.redial(this.index, indexOf(effect.neighbour))
        break
      case 'refuse':
        this.#check(`refused: ${peerIdOf(this.index)} cuts off ${effect.neighbour}: ${effect.reason}`)
        break
      case 'event':
        this.#hear(effect.event)
    }
  }

  #store(effect: Extract<Effect, { type: 'store' }>): void {
    if (this.disk.busy) {
      this.#check(`store: ${peerIdOf(this.index)} starts a batch while another is under way`)
      return
    }
    const life = this.#life
    const { ticket } = effect
    this.disk.write(effect.batch, (error) => {
      if (this.#life !== life || this.#peer === undefined) return
      this.#step(error === undefined ? { type: 'stored', ticket } : { type: 'store-failed', ticket, error })
    })
  }

  #hear(event: PeerEvent): void {
    const { ledger } = this.#world
    const name = peerIdOf(this.index)
    switch (event.type) {
      case 'durable':
        if (this.persistent) this.#countCopies(ledger.acknowledge(this.index, event.writeId))
        break
      case 'copies': {
        const write = this.#counted.get(event.request)
        if (write !== undefined) this.#world.confirmed(write, event.copies)
        break
      }
      case 'session':
        this.#world.travelled(event.rowsReceived)
        break
      case 'replica-id':
        if (event.replicaId === this.#openedAs || ledger.reusedIds.has(this.#openedAs)) break
        this.#check(`dots: ${name} abandons its replica id: ${event.reason}`)
        break
      case 'refused':
        if (event.error.code === 'CLOCK_AHEAD') break
        this.#check(`refused: ${name} refuses what ${event.from} sent: ${event.error.message}`)
        break
      case 'identity-in-use':
        this.#check(`twin: ${name} takes itself for two: ${event.reason}`)
        break
      case 'damaged':
      case 'member':
      case 'not-durable':
        break
    }
  }

  /** Asks for a second and third copy of some writes. */
  #countCopies(writes: readonly LedgerWrite[]): void {
    for (const write of writes) {
      if (write.writeId % 20 !== 0) continue
      const { collection, replicaId, sequence } = write
      const dot = { collection, partition: 0, replicaId, sequence }
      this.#counted.set(this.#peer!.confirmations.request(dot, 3), write)
    }
  }

  #checkSize(bytes: Uint8Array, maxBytes: number): void {
    if (bytes.length > maxBytes) this.#check(`unbounded: ${peerIdOf(this.index)} sends ${bytes.length} bytes`)
  }

  #check(violation: Violation | undefined): void {
    if (violation !== undefined) this.#world.violated(violation)
  }
}
