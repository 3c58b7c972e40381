import { encodeValue, decodeValue } from '../bytes/cbor.ts'
import type { Effect, Input, PeerEvent } from '../outbox/effects.ts'
import type { Instant } from '../instant.ts'
import { VALUE_MAX_BYTES } from '../limits.ts'
import { decodeMessage } from '../wire/messages.ts'
import type { Message, MessageType } from '../wire/messages.ts'
import { openPeer } from '../peer/open-peer.ts'
import type { PeerOptions } from '../peer/open-peer.ts'
import { OPENING_PREFIXES } from '../storage/opening.ts'
import type { Written } from '../writes/local-writes.ts'
import type { Peer } from '../peer/peer.ts'
import type { StorageOperation } from '../ports.ts'
import { SeededRandom } from '../bytes/seeded-random.ts'
import { partitionOf } from './peer-state.ts'
import type { TestDisk } from './test-disk.ts'

/** A message as it passed; `to` is undefined for a broadcast. */
export interface Passed {
  readonly from: string
  readonly to: string | undefined
  readonly message: Message
}

interface Wired {
  readonly peer: Peer
  readonly disk: TestDisk | undefined
  readonly events: PeerEvent[]
  readonly effects: Effect[]
  readonly linked: Set<string>
  pending: { readonly ticket: number; readonly batch: readonly StorageOperation[] } | undefined
}

/**
 * Whole peers wired together in one thread, for the tests of core: effects are performed by hand, time stands still
 * until `advance`, and every message can be seen, lost or delayed. Each is delivered in the order it was sent.
 */
export class WiredPeers {
  wallMs: number = Date.UTC(2026, 10, 22)
  monotonicMs = 1000
  /** Everything that was sent, delivered or not. */
  readonly passed: Passed[] = []
  /** Says false to lose a message on its way to a peer. */
  deliver: (passed: Passed, to: string) => boolean = () => true
  /** Neighbours of whom the network says that they read too slowly for frames. */
  missed: readonly string[] = []
  /** Peers that do nothing while time passes, like a process that SIGSTOP has stopped. What comes for them waits. */
  readonly standing: Set<string> = new Set()
  /** By how much the wall clocks of some peers are wrong. */
  readonly skewMs: Map<string, number> = new Map()
  readonly #wired = new Map<string, Wired>()
  readonly #random = new SeededRandom(5)
  #queue: { readonly to: string; readonly peer: Peer; readonly passed: Passed | undefined; readonly input: Input }[] =
    []

  get now(): Instant {
    return { wallMs: this.wallMs, monotonicMs: this.monotonicMs }
  }

  /** What a peer's clocks say. */
  nowOf(name: string): Instant {
    return { wallMs: this.wallMs + (this.skewMs.get(name) ?? 0), monotonicMs: this.monotonicMs }
  }

  /** Opens a peer; without a disk it is memory-only. */
  open(name: string, disk?: TestDisk, options: Partial<PeerOptions> = {}): Peer {
    const random = new SeededRandom(this.#random.uint32())
    const opening = openPeer({
      peerId: name,
      gridName: 'test',
      random,
      persistent: disk !== undefined,
      software: 'test',
      ...options,
    })
    for (const prefix of OPENING_PREFIXES) {
      for (const key of disk?.keys(prefix) ?? []) opening.offer(key, disk!.blobs.get(key)!.slice())
    }
    const peer = opening.finish(this.nowOf(name))
    this.#wired.set(name, { peer, disk, events: [], effects: [], linked: new Set(), pending: undefined })
    return peer
  }

  /** Opens several memory-only peers and links each with each. */
  mesh(...names: string[]): Peer[] {
    const peers = names.map((name) => this.open(name))
    for (const [i, name] of names.entries()) for (const other of names.slice(0, i)) this.link(other, name)
    return peers
  }

  link(a: string, b: string): void {
    this.#of(a).linked.add(b)
    this.#of(b).linked.add(a)
    this.#step(a, { type: 'connected', neighbour: b })
    this.#step(b, { type: 'connected', neighbour: a })
  }

  /** Cuts a link; what is under way on it is lost. */
  cut(a: string, b: string): void {
    this.#queue = this.#queue.filter(({ to, passed }) => {
      const onLink = passed !== undefined && ((passed.from === a && to === b) || (passed.from === b && to === a))
      return !onLink
    })
    for (const [name, other] of [
      [a, b],
      [b, a],
    ] as const) {
      const wired = this.#wired.get(name)
      if (wired?.linked.delete(other) !== true) continue
      const input: Input = { type: 'disconnected', neighbour: other }
      if (this.standing.has(name)) this.#queue.push({ to: name, peer: wired.peer, passed: undefined, input })
      else this.#step(name, input)
    }
  }

  /** The peer is gone from one moment to the next; returns its disk. */
  crash(name: string): TestDisk | undefined {
    const { linked, disk } = this.#of(name)
    this.#wired.delete(name)
    for (const other of linked) this.cut(name, other)
    return disk
  }

  peer(name: string): Peer {
    return this.#of(name).peer
  }

  events<T extends PeerEvent['type']>(name: string, type: T): Extract<PeerEvent, { type: T }>[] {
    const { events } = this.#of(name)
    return events.filter((event): event is Extract<PeerEvent, { type: T }> => event.type === type)
  }

  effects<T extends Effect['type']>(name: string, type: T): Extract<Effect, { type: T }>[] {
    const { effects } = this.#of(name)
    return effects.filter((effect): effect is Extract<Effect, { type: T }> => effect.type === type)
  }

  /** Messages of some types that passed, and from whom if given. */
  sent<T extends MessageType>(type: T, from?: string): Extract<Message, { type: T }>[] {
    const found: Extract<Message, { type: T }>[] = []
    for (const each of this.passed) {
      if (each.message.type !== type || (from !== undefined && each.from !== from)) continue
      found.push(each.message as Extract<Message, { type: T }>)
    }
    return found
  }

  /** Writes and lets the peer act on it; nothing is delivered before `run`. */
  write(name: string, key: string, value: unknown, collection = 'users'): Written {
    const { peer } = this.#of(name)
    const bytes = value === undefined ? undefined : encodeValue(value, VALUE_MAX_BYTES)
    const written = peer.write(partitionOf(peer, collection), key, bytes, this.nowOf(name))
    this.#step(name, { type: 'tick' })
    return written
  }

  /** What a peer holds under a key. */
  value(name: string, key: string, collection = 'users'): unknown {
    const { replica } = partitionOf(this.#of(name).peer, collection)
    const slot = replica.table.slotOf(key)
    const bytes = slot === undefined ? undefined : replica.table.value(slot)
    return bytes === undefined ? undefined : decodeValue(bytes)
  }

  /** Gives a peer any input, as if it came from outside. */
  give(name: string, input: Input): void {
    this.#step(name, input)
  }

  /** Performs effects of the peer's own making, such as those of `goodbye`. */
  perform(name: string, effects: readonly Effect[]): void {
    for (const effect of effects) this.#perform(name, effect)
  }

  /** The disk answers what it kept back. */
  answer(name: string): void {
    const wired = this.#of(name)
    const { pending } = wired
    wired.pending = undefined
    if (pending !== undefined) this.#store(name, pending.ticket, pending.batch, false)
  }

  /** Delivers everything that is under way at this instant, and what follows from it. */
  run(): void {
    for (let steps = 0; ; steps++) {
      if (steps > 1_000_000) throw new Error('the peers never come to rest')
      const at = this.#queue.findIndex(({ to }) => !this.standing.has(to))
      const [next] = at < 0 ? [] : this.#queue.splice(at, 1)
      if (next === undefined) {
        if (!this.#tickDue()) return
        continue
      }
      const { to, passed, input, peer } = next
      if (this.#wired.get(to)?.peer !== peer) continue
      if (passed === undefined || this.deliver(passed, to)) this.#step(to, input)
    }
  }

  /** Lets time pass, and everything happen that happens meanwhile. */
  advance(ms: number): void {
    const target = this.monotonicMs + ms
    for (;;) {
      this.run()
      let next = Infinity
      for (const [name, { peer }] of this.#wired) if (!this.standing.has(name)) next = Math.min(next, peer.wakeAtMs)
      const at = Math.min(target, Math.max(next, this.monotonicMs))
      this.wallMs += at - this.monotonicMs
      this.monotonicMs = at
      if (next > target) break
      this.#tickDue()
    }
    for (const name of this.#wired.keys()) if (!this.standing.has(name)) this.#step(name, { type: 'tick' })
    this.run()
  }

  /** Lets time pass in which no peer does anything, like closed laptops. Earlier records are forgotten. */
  sleep(ms: number): void {
    this.run()
    this.passed.length = 0
    for (const { events, effects } of this.#wired.values()) events.length = effects.length = 0
    this.wallMs += ms
    this.monotonicMs += ms
  }

  #tickDue(): boolean {
    let any = false
    for (const [name, { peer }] of this.#wired) {
      if (peer.wakeAtMs > this.monotonicMs || this.standing.has(name)) continue
      any = true
      this.#step(name, { type: 'tick' })
    }
    return any
  }

  #step(name: string, input: Input): void {
    for (const effect of this.#of(name).peer.step(input, this.nowOf(name))) this.#perform(name, effect)
  }

  #perform(name: string, effect: Effect): void {
    const { linked, effects, events, peer } = this.#of(name)
    if (effect.type === 'send') {
      const passed = { from: name, to: effect.to, message: decodeMessage(effect.bytes) }
      this.passed.push(passed)
      if (linked.has(effect.to)) this.#enqueue(effect.to, passed, { type: 'message', from: name, bytes: effect.bytes })
    } else if (effect.type === 'broadcast') {
      const passed = { from: name, to: undefined, message: decodeMessage(effect.bytes) }
      this.passed.push(passed)
      const input: Input = { type: 'broadcast', from: name, bytes: effect.bytes }
      for (const reached of this.#reachable(name)) this.#enqueue(reached, passed, input)
      this.#queue.push({ to: name, peer, passed: undefined, input: { type: 'broadcasted' } })
    } else if (effect.type === 'direct') {
      for (const to of effect.to) {
        const passed = { from: name, to, message: decodeMessage(effect.bytes) }
        this.passed.push(passed)
        if (linked.has(to)) this.#enqueue(to, passed, { type: 'direct', from: name, bytes: effect.bytes })
      }
      this.#queue.push({ to: name, peer, passed: undefined, input: { type: 'directed', missed: this.missed } })
    } else if (effect.type === 'store') this.#store(name, effect.ticket, effect.batch)
    else {
      effects.push(effect)
      if (effect.type === 'event') events.push(effect.event)
    }
  }

  #store(name: string, ticket: number, batch: readonly StorageOperation[], pausing = true): void {
    const wired = this.#of(name)
    const disk = wired.disk!
    if (disk.paused && pausing) {
      wired.pending = { ticket, batch }
      return
    }
    if (!disk.failing) disk.write(batch)
    const input: Input = disk.failing
      ? { type: 'store-failed', ticket, error: new Error('disk') }
      : { type: 'stored', ticket }
    this.#queue.push({ to: name, peer: wired.peer, passed: undefined, input })
  }

  #enqueue(to: string, passed: Passed, input: Input): void {
    this.#queue.push({ to, peer: this.#of(to).peer, passed, input })
  }

  /** All peers that gossip reaches from here. */
  #reachable(name: string): Set<string> {
    const reached = new Set([name])
    for (const each of reached) for (const other of this.#of(each).linked) reached.add(other)
    reached.delete(name)
    return reached
  }

  #of(name: string): Wired {
    const wired = this.#wired.get(name)
    if (wired === undefined) throw new Error(`no peer ${name}`)
    return wired
  }
}
