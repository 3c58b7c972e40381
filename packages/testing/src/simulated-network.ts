import type { EventQueue } from './event-queue.ts'
import type { Random } from './random.ts'
import { SimulatedLink } from './simulated-link.ts'
import type { LinkEnd } from './simulated-link.ts'

/** Faults of broadcasts, 0 to 1 each. */
export interface NetworkTraits {
  loss: number
  duplication: number
  /** Share of broadcasts that are late by up to two seconds. */
  reordering: number
  /** Longest usual delay of one hop. */
  delayMaxMs: number
  /** Longest time until a broadcast reaches the neighbours. */
  congestionMs: number
  /** Share of direct frames that a neighbour misses because it reads too slowly. */
  missed: number
  /** Longest time until an end of a broken connection notices. */
  unnoticedMs: number
}

/** Receives the events of the network. Peers are numbers here. */
export interface NetworkListener {
  connected(peer: number, neighbour: number): void
  disconnected(peer: number, neighbour: number): void
  message(peer: number, from: number, bytes: Uint8Array): void
  broadcast(peer: number, from: number, bytes: Uint8Array): void
  broadcasted(peer: number): void
  direct(peer: number, from: number, bytes: Uint8Array): void
  directed(peer: number, missed: readonly number[]): void
}

const RETRY_MS = 2500

/**
 * The network between all machines. Connections carry messages in order until they break. Broadcasts may be lost,
 * repeated or late. Paths may close in one direction or both.
 */
export class SimulatedNetwork {
  readonly traits: NetworkTraits
  readonly #queue: EventQueue
  readonly #random: Random
  readonly #listener: NetworkListener
  readonly #count: number
  readonly #links: (SimulatedLink | undefined)[] = []
  /** When each machine started; undefined while it is down. */
  readonly #lives: (number | undefined)[] = []
  readonly #group: number[]
  readonly #oneWay = new Set<number>()
  #lifeCount = 0
  /** Broadcasts lost, repeated and late so far. */
  readonly counts: { lost: number; repeated: number; late: number } = { lost: 0, repeated: 0, late: 0 }

  /** `allowed` decides which pairs can ever connect. */
  constructor(
    queue: EventQueue,
    random: Random,
    listener: NetworkListener,
    count: number,
    traits: NetworkTraits,
    allowed: (a: number, b: number) => boolean,
  ) {
    this.#queue = queue
    this.#random = random
    this.#listener = listener
    this.#count = count
    this.traits = traits
    this.#group = Array.from({ length: count }, () => 0)
    for (let a = 0; a < count; a++) {
      for (let b = a + 1; b < count; b++) if (allowed(a, b)) this.#links[a * count + b] = new SimulatedLink(a, b)
    }
  }

  /** All pairs that can connect. */
  get links(): readonly SimulatedLink[] {
    return this.#links.filter((link) => link !== undefined)
  }

  /** A machine has started. */
  up(peer: number): void {
    this.#lives[peer] = ++this.#lifeCount
    for (const link of this.links) if (link.wanted && link.end(peer).peer === peer) this.#attempt(link)
  }

  /** A machine goes down without a goodbye. */
  down(peer: number): void {
    this.#lives[peer] = undefined
    for (const link of this.links) {
      if (link.end(peer).peer !== peer) continue
      this.breakLink(link)
      link.end(peer).believes = false
    }
  }

  send(from: number, to: number, bytes: Uint8Array): void {
    const link = this.#link(from, to)
    if (link === undefined || !link.end(from).believes || !link.alive) return
    const end = link.end(to)
    const { connection } = link
    end.arrivalMs = Math.max(end.arrivalMs, this.#queue.nowMs + this.#delay(link))
    this.#queue.at(end.arrivalMs, () => {
      if (link.connection !== connection || this.#queue.nowMs > link.cutOffMs || !end.believes) return
      if (end.stalled.length > 0 || this.#blocked(from, to)) end.stalled.push(bytes)
      else this.#listener.message(to, from, bytes)
    })
  }

  broadcast(from: number, bytes: Uint8Array): void {
    const random = this.#random
    const hops = this.#hopsFrom(from)
    const life = this.#lives[from]
    for (let to = 0; to < this.#count; to++) {
      const distance = hops[to]!
      if (to === from || distance === 0) continue
      let delay = 0
      let lost = false
      for (let hop = 0; hop < distance; hop++) {
        delay += random.mostlySmall(1, this.traits.delayMaxMs)
        lost ||= random.chance(this.traits.loss)
      }
      const link = this.#link(from, to)
      if (distance === 1) delay += link?.slowMs ?? 0
      if (lost) {
        this.counts.lost += 1
        continue
      }
      if (random.chance(this.traits.reordering)) {
        this.counts.late += 1
        delay += random.below(2000)
      }
      this.#broadcastTo(from, to, delay, distance, bytes)
      if (!random.chance(this.traits.duplication)) continue
      this.counts.repeated += 1
      this.#broadcastTo(from, to, delay + random.below(3000), distance, bytes)
    }
    this.#queue.after(random.mostlySmall(0, this.traits.congestionMs), () => {
      if (this.#lives[from] === life) this.#listener.broadcasted(from)
    })
  }

  /** Directly to neighbours: whole, in order, until the connection breaks. */
  direct(from: number, to: readonly number[], bytes: Uint8Array): void {
    const life = this.#lives[from]
    const missed = to.filter((neighbour) => !this.#directTo(from, neighbour, bytes))
    this.#queue.after(this.#random.mostlySmall(0, this.traits.congestionMs), () => {
      if (this.#lives[from] === life) this.#listener.directed(from, missed)
    })
  }

  #directTo(from: number, to: number, bytes: Uint8Array): boolean {
    const link = this.#link(from, to)
    if (link === undefined || !link.end(from).believes || this.#random.chance(this.traits.missed)) return false
    // The connection has broken, and this end has not noticed yet.
    if (!link.alive) return true
    const end = link.end(to)
    const { connection } = link
    end.directArrivalMs = Math.max(end.directArrivalMs, this.#queue.nowMs + this.#delay(link))
    this.#queue.at(end.directArrivalMs, () => {
      if (link.connection !== connection || this.#queue.nowMs > link.cutOffMs || !end.believes) return
      if (end.stalledDirect.length > 0 || this.#blocked(from, to)) end.stalledDirect.push(bytes)
      else this.#listener.direct(to, from, bytes)
    })
    return true
  }

  dial(from: number, to: number): void {
    const link = this.#link(from, to)
    if (link === undefined) return
    link.wanted = true
    if (!link.alive) this.#attempt(link)
  }

  redial(from: number, to: number): void {
    const link = this.#link(from, to)
    if (link !== undefined) this.breakLink(link)
  }

  refuse(from: number, to: number, refusedMs: number): void {
    const link = this.#link(from, to)
    if (link === undefined) return
    link.refusedUntilMs = this.#queue.nowMs + refusedMs
    this.breakLink(link)
  }

  /** Breaks a connection. The two ends notice one after the other, and connect again when they can. */
  breakLink(link: SimulatedLink): void {
    if (!link.alive) return
    link.alive = false
    const now = this.#queue.nowMs
    link.cutOffMs = now + this.#random.below(this.traits.delayMaxMs)
    const noticesFirst = this.#random.below(2)
    link.ends.forEach((end, i) => {
      end.stalled.length = 0
      end.stalledDirect.length = 0
      const longest = i === noticesFirst ? 200 : this.traits.unnoticedMs
      const { connection } = link
      this.#queue.after(this.#random.mostlySmall(0, longest), () => {
        if (link.connection === connection) this.#disbelieve(link, end)
      })
    })
    this.#attempt(link)
  }

  /** Puts every machine into a group. Groups cannot reach each other. */
  split(groups: readonly number[]): void {
    for (let peer = 0; peer < this.#count; peer++) this.#group[peer] = groups[peer] ?? 0
    this.#pathsChanged()
  }

  /** Closes the path from one machine to another. */
  closeOneWay(from: number, to: number): void {
    this.#oneWay.add(from * this.#count + to)
    this.#pathsChanged()
  }

  openOneWay(from: number, to: number): void {
    this.#oneWay.delete(from * this.#count + to)
    this.#pathsChanged()
  }

  /** Opens all paths, makes all links quick, and loses nothing from now on. */
  heal(): void {
    this.#group.fill(0)
    this.#oneWay.clear()
    Object.assign(this.traits, {
      loss: 0,
      duplication: 0,
      reordering: 0,
      delayMaxMs: 40,
      congestionMs: 5,
      missed: 0,
      unnoticedMs: 200,
    })
    for (const link of this.links) {
      link.slowMs = 0
      for (const end of link.ends) end.deaf = false
    }
    this.#pathsChanged()
  }

  #pathsChanged(): void {
    for (const link of this.links) {
      if (!link.alive) continue
      const [a, b] = [link.ends[0].peer, link.ends[1].peer]
      if (this.#reachable(a, b)) {
        for (const end of link.ends) this.#flush(link, end)
        continue
      }
      const { connection } = link
      this.#queue.after(this.#random.between(200, 15_000), () => {
        if (link.connection === connection && !this.#reachable(a, b)) this.breakLink(link)
      })
    }
  }

  /** Messages that waited for the path to open arrive now, in order. */
  #flush(link: SimulatedLink, end: LinkEnd): void {
    const from = link.otherEnd(end.peer).peer
    const { connection } = link
    if (end.stalled.length === 0 && end.stalledDirect.length === 0) return
    this.#queue.after(1, () => {
      if (link.connection !== connection || !link.alive || !end.believes || this.#blocked(from, end.peer)) return
      const stalled = end.stalled.splice(0)
      for (const bytes of stalled) if (end.believes) this.#listener.message(end.peer, from, bytes)
      const frames = end.stalledDirect.splice(0)
      for (const bytes of frames) if (end.believes) this.#listener.direct(end.peer, from, bytes)
    })
  }

  #attempt(link: SimulatedLink): void {
    if (link.attempting || !link.wanted) return
    link.attempting = true
    this.#queue.after(this.#random.between(20, RETRY_MS), () => {
      link.attempting = false
      if (link.alive) return
      const [a, b] = [link.ends[0].peer, link.ends[1].peer]
      // A machine that is down dials again when it is up.
      if (this.#lives[a] === undefined || this.#lives[b] === undefined) return
      if (this.#queue.nowMs < link.refusedUntilMs || !this.#reachable(a, b)) this.#attempt(link)
      else this.#connect(link)
    })
  }

  #connect(link: SimulatedLink): void {
    link.connection += 1
    link.alive = true
    link.cutOffMs = Infinity
    const { connection } = link
    const first = this.#random.below(2)
    link.ends.forEach((end, i) => {
      // An end that has not noticed the break notices now.
      this.#disbelieve(link, end)
      end.deaf = false
      end.stalled.length = 0
      end.stalledDirect.length = 0
      end.directArrivalMs = 0
      end.arrivalMs = this.#queue.nowMs + (i === first ? 0 : this.#random.between(1, 50))
      this.#queue.at(end.arrivalMs, () => {
        if (link.connection !== connection || !link.alive) return
        end.believes = true
        this.#listener.connected(end.peer, link.otherEnd(end.peer).peer)
      })
    })
  }

  #disbelieve(link: SimulatedLink, end: LinkEnd): void {
    if (!end.believes) return
    end.believes = false
    this.#listener.disconnected(end.peer, link.otherEnd(end.peer).peer)
  }

  #broadcastTo(from: number, to: number, delay: number, distance: number, bytes: Uint8Array): void {
    const life = this.#lives[to]
    this.#queue.after(delay, () => {
      if (life === undefined || this.#lives[to] !== life) return
      if (distance === 1 && (this.#blocked(from, to) || this.#link(from, to)?.end(to).deaf === true)) return
      this.#listener.broadcast(to, from, bytes)
    })
  }

  /** For every other machine the number of connections on the way to it, 0 where there is no way. */
  #hopsFrom(from: number): number[] {
    const hops = Array.from({ length: this.#count }, () => 0)
    let edge = [from]
    for (let distance = 1; edge.length > 0; distance++) {
      const next: number[] = []
      for (const peer of edge) {
        for (let to = 0; to < this.#count; to++) {
          if (to === from || hops[to] !== 0 || this.#link(peer, to)?.alive !== true || this.#blocked(peer, to)) continue
          hops[to] = distance
          next.push(to)
        }
      }
      edge = next
    }
    return hops
  }

  #link(a: number, b: number): SimulatedLink | undefined {
    return this.#links[Math.min(a, b) * this.#count + Math.max(a, b)]
  }

  #reachable(a: number, b: number): boolean {
    return !this.#blocked(a, b) && !this.#blocked(b, a)
  }

  #blocked(from: number, to: number): boolean {
    return this.#group[from] !== this.#group[to] || this.#oneWay.has(from * this.#count + to)
  }

  #delay(link: SimulatedLink): number {
    return this.#random.mostlySmall(1, this.traits.delayMaxMs) + link.slowMs
  }
}
