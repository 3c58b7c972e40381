import { encodeValue, openPeer } from '@gossipgrid/core'
import type { CollectionDescriptor, Effect, Input, Instant, Partition, PartitionName, Peer } from '@gossipgrid/core'
import { partitionIndex, partitionNumber, partitioning } from '@gossipgrid/core/internals'
import { Random } from './random.ts'
import { WALL_START_MS } from './simulated-clock.ts'

/** A message or broadcast that a peer sent. */
export interface Sent {
  readonly from: string
  /** Undefined for a broadcast. */
  readonly to: string | undefined
  readonly bytes: Uint8Array
}

const STEPS_MAX = 300_000
const COLLECTION = { kind: 'map', mode: 'replicated', partitions: 1 } as const

/** A map that is spread over the peers. */
export const SPREAD: CollectionDescriptor = {
  name: 'spread',
  kind: 'map',
  mode: 'partitioned',
  partitions: 16,
  owners: 2,
}

/** The partition of one of its keys. */
function spread(key: string): PartitionName {
  return { collection: SPREAD.name, kind: 1, partition: partitionNumber(16, partitionIndex(key, 16)) }
}

/**
 * A few peers wired together without faults, for inputs that no honest peer sends. A test can look at the peers after
 * every step. Messages to unknown peers are only recorded.
 */
export class Wire {
  readonly peers: Map<string, Peer> = new Map()
  /** Called for everything that is sent. */
  noted: (sent: Sent) => void = () => undefined
  /** Called for every effect that is neither a message nor a batch for the store. */
  onEffect: (name: string, effect: Effect) => void = () => undefined
  #nowMs = 0
  readonly #random: Random
  readonly #links = new Set<string>()
  #queue: { readonly to: string; readonly input: Input }[] = []

  constructor(seed: number) {
    this.#random = new Random(seed)
  }

  get now(): Instant {
    return { wallMs: WALL_START_MS + this.#nowMs, monotonicMs: 1000 + this.#nowMs }
  }

  peer(name: string): Peer {
    return this.peers.get(name)!
  }

  open(name: string): Peer {
    const random = this.#random.fork(name)
    const peer = openPeer({
      peerId: name,
      gridName: 'fuzz',
      random,
      persistent: true,
      software: 'fuzz',
      addresses: [name],
      partitioning: partitioning({ joins: false }),
    })
    this.peers.set(name, peer.finish(this.now))
    this.give(name, { type: 'tick' })
    return this.peer(name)
  }

  link(a: string, b: string): void {
    this.#links.add(`${a} ${b}`).add(`${b} ${a}`)
    for (const [peer, neighbour] of [
      [a, b],
      [b, a],
    ] as const) {
      if (this.peers.has(peer)) this.give(peer, { type: 'connected', neighbour })
    }
  }

  cut(a: string, b: string): void {
    this.#links.delete(`${a} ${b}`)
    this.#links.delete(`${b} ${a}`)
    if (this.peers.has(a)) this.give(a, { type: 'disconnected', neighbour: b })
    if (this.peers.has(b)) this.give(b, { type: 'disconnected', neighbour: a })
  }

  write(name: string, collection: string, key: string, value: unknown): void {
    const peer = this.peer(name)
    const partition: Partition = peer.open({ name: collection, ...COLLECTION }).partitions[0]!
    peer.write(partition, key, value === undefined ? undefined : encodeValue(value, 1024 * 1024), this.now)
    this.give(name, { type: 'tick' })
  }

  /** Writes to the map that is spread over the peers, counts the copies, and reads it in every way. */
  use(name: string, key: string, value: unknown): void {
    const peer = this.peer(name)
    const bytes = value === undefined ? undefined : encodeValue(value, 1024 * 1024)
    const written = peer.partitions.write(spread(key), key, bytes, this.now)
    const request = peer.partitions.countCopies(spread(key), key, written, 2)
    this.give(name, { type: 'tick' })
    const done = (): void => undefined
    peer.partitions.read([{ name: spread(key), key }], this.now, done)
    peer.partitions.readPage({ name: spread(key), after: '', prefix: '', keysMax: 3 }, this.now, done)
    peer.partitions.count([spread(key)], this.now, done)
    this.give(name, { type: 'tick' })
    peer.partitions.cancelCopies(request)
  }

  /** Gives a peer one input and performs the effects that it returns. */
  give(name: string, input: Input): void {
    for (const effect of this.peer(name).step(input, this.now)) this.#perform(name, effect)
  }

  /** Delivers everything in flight, and lets time pass. */
  advance(ms: number): void {
    const endMs = this.#nowMs + ms
    for (let steps = 0; ; steps++) {
      if (steps > STEPS_MAX) throw new Error('the peers never come to rest')
      const next = this.#queue.shift()
      if (next !== undefined) {
        this.give(next.to, next.input)
        continue
      }
      let wakeMs = Infinity
      for (const peer of this.peers.values()) wakeMs = Math.min(wakeMs, peer.wakeAtMs - 1000)
      if (wakeMs > endMs) break
      this.#nowMs = Math.max(this.#nowMs, wakeMs)
      for (const [name, peer] of this.peers) {
        if (peer.wakeAtMs - 1000 <= this.#nowMs) this.give(name, { type: 'tick' })
      }
    }
    this.#nowMs = endMs
    for (const name of this.peers.keys()) this.give(name, { type: 'tick' })
  }

  #perform(name: string, effect: Effect): void {
    switch (effect.type) {
      case 'store':
        this.#queue.push({ to: name, input: { type: 'stored', ticket: effect.ticket } })
        break
      case 'send':
        this.noted({ from: name, to: effect.to, bytes: effect.bytes })
        this.#deliver(name, effect.to, { type: 'message', from: name, bytes: effect.bytes })
        break
      case 'broadcast':
        this.noted({ from: name, to: undefined, bytes: effect.bytes })
        for (const other of this.peers.keys()) {
          this.#deliver(name, other, { type: 'broadcast', from: name, bytes: effect.bytes })
        }
        this.#queue.push({ to: name, input: { type: 'broadcasted' } })
        break
      case 'direct':
        for (const other of effect.to) {
          this.noted({ from: name, to: other, bytes: effect.bytes })
          this.#deliver(name, other, { type: 'direct', from: name, bytes: effect.bytes })
        }
        this.#queue.push({ to: name, input: { type: 'directed', missed: [] } })
        break
      case 'dial':
      case 'redial':
      case 'refuse':
      case 'event':
        this.onEffect(name, effect)
    }
  }

  #deliver(from: string, to: string, input: Input): void {
    if (this.peers.has(to) && this.#links.has(`${from} ${to}`)) this.#queue.push({ to, input })
  }
}
