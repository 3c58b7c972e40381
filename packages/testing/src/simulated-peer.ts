import { SESSIONS_MAX, expiryOf, openPeer } from '@gossipgrid/core'
import type { Effect, Input, Peer, PeerEvent, Role } from '@gossipgrid/core'
import type { Partitioning } from '@gossipgrid/core/internals'
import { ReadCheck, checkCoverage } from './checkers.ts'
import type { Violation } from './checkers.ts'
import type { EventQueue } from './event-queue.ts'
import { hasSeen, partitionOf } from './peer-state.ts'
import type { Ledger, LedgerWrite } from './ledger.ts'
import type { Machine } from './machine.ts'
import { performOnNetwork } from './network-effects.ts'
import { peerIdOf } from './peer-ids.ts'
import { Random } from './random.ts'
import type { SimulatedClock } from './simulated-clock.ts'
import { addWins } from './simulated-collection.ts'
import type { SimulatedCollection } from './simulated-collection.ts'
import type { CrashOutcome, SimulatedDisk } from './simulated-disk.ts'
import type { SimulatedNetwork } from './simulated-network.ts'
import type { TraceHash } from './trace-hash.ts'

/** No input in a simulation causes so many effects in one honest step. */
const EFFECTS_MAX = 5000
const UNDURABLE_MAX_BYTES = 32 * 1024 * 1024
/**
 * A peer that asks to be woken at once so many times in a row, while nothing happens, keeps a processor busy for
 * nothing.
 */
const WAKES_IN_A_ROW_MAX = 200

/** What all machines of a simulation share. */
export interface SimulatedWorld {
  readonly queue: EventQueue
  readonly network: SimulatedNetwork
  readonly ledger: Ledger
  readonly trace: TraceHash
  readonly collections: readonly SimulatedCollection[]
  /** A peer reports that so many durable copies of a write exist. */
  confirmed(write: LedgerWrite, copies: number): void
  /** An anti-entropy session has sent so many rows. */
  travelled(rows: number): void
  /** A row has changed at a machine, in the middle of a step. */
  changed?(machine: SimulatedPeer, collection: SimulatedCollection, key: string): void
  /** A peer reports something. */
  heard?(machine: SimulatedPeer, event: PeerEvent): void
  /** A machine has taken a step. */
  stepped?(machine: SimulatedPeer): void
  violated(violation: Violation): void
}

/** One row that an application writes; the value `undefined` deletes. */
export interface SimulatedWrite {
  readonly key: string
  readonly value: Uint8Array | undefined
}

/** One machine: a disk and clocks that stay, and a peer that starts and stops. It performs the peer's effects. */
export class SimulatedPeer {
  readonly index: number
  readonly disk: SimulatedDisk
  readonly clock: SimulatedClock
  readonly persistent: boolean
  readonly role: Role | undefined
  readonly direct: boolean
  readonly partitioning: Partitioning | undefined
  readonly #world: SimulatedWorld
  readonly #random: Random
  #peer: Peer | undefined
  #reads: ReadCheck | undefined
  #life = 0
  /** The life whose peer says goodbye. */
  #closing = 0
  #openedAs = ''
  /** The replica that was last opened from the disk. */
  #stored: { readonly peer: Peer; readonly revision: number } | undefined
  #wakeMs = Infinity
  #wakesInARow = 0
  /** Atomic writes that are not all acknowledged yet. */
  #batches: LedgerWrite[][] = []
  /** Writes whose copies the peer counts, by the number of the request. */
  readonly #counted = new Map<number, LedgerWrite>()

  constructor(world: SimulatedWorld, machine: Machine) {
    this.#world = world
    this.index = machine.index
    this.disk = machine.disk
    this.clock = machine.clock
    this.persistent = machine.persistent
    this.role = machine.role
    this.direct = machine.direct ?? false
    this.partitioning = machine.partitioning
    this.#random = machine.random
  }

  /** How often it was started. */
  get life(): number {
    return this.#life
  }

  /** It is up, and its peer says goodbye. */
  get closing(): boolean {
    return this.#peer !== undefined && this.#closing === this.#life
  }

  /** The running peer, undefined while the machine is down. */
  get peer(): Peer | undefined {
    return this.#peer
  }

  /** A peer opened from the disk alone, to look at. It is opened again only when the disk has changed. */
  stored(): Peer {
    return this.#stored?.revision === this.disk.revision ? this.#stored.peer : this.#openStored()
  }

  start(): void {
    if (this.#peer !== undefined) return
    const world = this.#world
    const peer = this.#open()
    this.#stored = undefined
    this.#peer = peer
    this.#reads = new ReadCheck(peer, world.ledger)
    this.#openedAs = peer.replicaId
    this.#wakesInARow = 0
    for (const collection of world.collections) this.#openCollection(peer, collection)
    world.trace.number(this.index)
    world.trace.text(peer.replicaId)
    this.check(checkCoverage(world.ledger, peer))
    world.network.up(this.index)
    this.#step({ type: 'tick' })
  }

  /** The power goes. Returns the writes that never happened: they were not acknowledged and are not on disk. */
  crash(outcome: CrashOutcome): void {
    if (this.#peer === undefined) return
    const { replicaId } = this.#peer
    this.#stop()
    this.disk.crash(outcome)
    if (!this.persistent) {
      // The writes of a peer without a disk may be at other peers, and their dots are never given out again.
      this.#world.ledger.endLife(this.index)
      return
    }
    const pending = this.#world.ledger.endLife(this.index)
    if (pending.length === 0) return
    const stored = this.#openStored()
    for (const write of pending) {
      const seen = hasSeen(stored, write.collection, write.replicaId, write.sequence)
      // A write whose replica id is retired is issued again under another one, which its dot does not show.
      write.withdrawn = !seen && !this.#world.ledger.reusedIds.has(write.replicaId)
    }
    // The damage took the vector and the replica id along: only the entries show what was there.
    if (outcome !== 'torn' && stored.replicaId === replicaId) this.#checkBatches()
  }

  /** The disk was set back, so the peer will give out dots that it has given out before. */
  replicaIdReused(): void {
    this.#world.ledger.reusedIds.add(this.#openStored().replicaId)
  }

  /** Says goodbye and stops; `left` when the peer leaves the grid. */
  close(left = false): void {
    if (this.#peer === undefined) return
    this.#perform(this.#peer.goodbye(left, this.clock.now()))
    const life = (this.#closing = this.#life)
    this.#world.queue.after(5, () => {
      if (this.#life === life) this.crash('whole')
    })
  }

  /** Writes of the application, atomic when there are several. The application then reads them. */
  write(collection: SimulatedCollection, rows: readonly SimulatedWrite[]): LedgerWrite[] {
    const peer = this.#peer
    if (peer === undefined || rows.length === 0) return []
    const written: LedgerWrite[] = []
    const writeAll = (): void => rows.forEach((row) => written.push(this.#writeRow(peer, collection, row)))
    if (rows.length === 1) writeAll()
    else {
      peer.atomically(writeAll)
      this.#batches = this.#batches.filter((batch) => batch.some(({ acknowledged }) => !acknowledged))
      this.#batches.push(written)
    }
    this.#step({ type: 'tick' })
    return written
  }

  /** Gives the peer an input if the machine is up. */
  take(input: Input): void {
    if (this.#peer !== undefined) this.#step(input)
  }

  /** A crash keeps an atomic write whole or not at all. */
  #checkBatches(): void {
    for (const batch of this.#batches) {
      const gone = batch.filter(({ withdrawn }) => withdrawn).length
      if (gone === 0 || gone === batch.length) continue
      this.check(
        `atomic: of ${batch.length} writes that are one ${gone} are not on the disk of ${peerIdOf(this.index)}`,
      )
    }
  }

  #open(): Peer {
    this.#life += 1
    this.#batches = []
    return this.#openFrom(this.persistent ? this.disk : undefined, this.#random.fork(`life ${this.#life}`))
  }

  /** The replica id depends on the clock too. */
  #openStored(): Peer {
    const peer = this.#openFrom(this.disk, new Random(1))
    this.#stored = { peer, revision: this.disk.revision }
    return peer
  }

  #openFrom(disk: SimulatedDisk | undefined, random: Random): Peer {
    const opening = openPeer({
      peerId: peerIdOf(this.index),
      gridName: 'simulation',
      random,
      persistent: disk !== undefined,
      software: 'simulator',
      direct: this.direct,
      addresses: [peerIdOf(this.index)],
      ...(this.role === undefined ? {} : { role: this.role }),
      ...(this.partitioning === undefined ? {} : { partitioning: this.partitioning }),
    })
    for (const [key, bytes] of disk?.blobs() ?? []) opening.offer(key, bytes)
    return opening.finish(this.clock.now())
  }

  #openCollection(peer: Peer, collection: SimulatedCollection): void {
    const { name, kind, mode, partitions } = collection
    const descriptor = { name, kind, mode, partitions }
    const opened = kind === 'document' ? peer.collections.internal(descriptor) : peer.open(descriptor).partitions[0]!
    const { replica } = opened
    replica.observe({
      changed: (slot) => {
        const key = replica.table.key(slot)
        this.check(this.#reads?.read(collection, key))
        this.#world.changed?.(this, collection, key)
      },
    })
  }

  #writeRow(peer: Peer, collection: SimulatedCollection, { key, value }: SimulatedWrite): LedgerWrite {
    const { queue, ledger, trace } = this.#world
    const partition = partitionOf(peer, collection)!
    const { hlc, replicaId, sequence, writeId } = peer.write(partition, key, value, this.clock.now())
    trace.number(hlc)
    this.check(this.#reads?.read(collection, key))
    return ledger.add({
      collection,
      key,
      value,
      hlc,
      replicaId,
      sequence,
      removes: addWins(collection) && value === undefined,
      writeId,
      peer: this.index,
      atMs: queue.nowMs,
      expiresAtMs: value === undefined ? Infinity : expiryOf(value),
    })
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
    this.#world.stepped?.(this)
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
        this.check(`unbounded: ${peer.peerId} asks again and again to be woken at once`)
      }
      this.#step({ type: 'tick' })
    })
  }

  #perform(effects: readonly Effect[]): void {
    const peer = this.#peer!
    if (effects.length > EFFECTS_MAX) this.check(`unbounded: ${effects.length} effects of one step of ${peer.peerId}`)
    for (const effect of effects) this.#performOne(effect)
    const { sessions, undurableBytes } = peer.report(this.clock.now()).backlog
    if (undurableBytes > UNDURABLE_MAX_BYTES) this.check(`unbounded: ${peer.peerId} stores nothing`)
    if (sessions > SESSIONS_MAX) this.check(`unbounded: sessions of ${peer.peerId}`)
  }

  #performOne(effect: Effect): void {
    switch (effect.type) {
      case 'store':
        this.#store(effect)
        break
      case 'refuse':
        this.check(`refused: ${peerIdOf(this.index)} cuts off ${effect.neighbour}: ${effect.reason}`)
        break
      case 'event':
        this.#hear(effect.event)
        break
      default:
        for (const problem of performOnNetwork(effect, this.index, this.#world)) this.check(problem)
    }
  }

  #store(effect: Extract<Effect, { type: 'store' }>): void {
    if (this.disk.busy) {
      this.check(`store: ${peerIdOf(this.index)} starts a batch while another is under way`)
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
    this.#world.heard?.(this, event)
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
        this.check(`dots: ${name} abandons its replica id: ${event.reason}`)
        break
      case 'refused':
        // A copy that another peer takes to be here still, or already.
        if (event.error.code === 'CLOCK_AHEAD' || event.error.code === 'NOT_HELD') break
        this.check(`refused: ${name} refuses what ${event.from} sent: ${event.error.message}`)
        break
      case 'identity-in-use':
        this.check(`twin: ${name} takes itself for two: ${event.reason}`)
        break
      default:
      // No promise depends on these.
    }
  }

  /** Asks for a second and third copy of some writes. */
  #countCopies(writes: readonly LedgerWrite[]): void {
    for (const write of writes) {
      if (write.writeId % 20 !== 0) continue
      const { collection, replicaId, sequence } = write
      const dot = { collection: collection.name, kind: collection.code, partition: 0, replicaId, sequence }
      this.#counted.set(this.#peer!.confirmations.request(dot, 3), write)
    }
  }

  /** Reports a broken promise. */
  check(violation: Violation | undefined): void {
    if (violation !== undefined) this.#world.violated(violation)
  }
}
