import { openPeer } from '@gossipgrid/core'
import type { Effect, Input, Peer } from '@gossipgrid/core'
import { partitioning } from '@gossipgrid/core/internals'
import { Random } from '@gossipgrid/testing/simulation'
import type { Bench, Figures } from './bench.ts'

const SIZES = [10]
const COLLECTIONS = 20
const PARTITIONS = 1024
const OWNERS = 3
/** Those of a peer in a large grid. */
const NEIGHBOURS_MAX = 32
/** All are members for each other. */
const MET_MS = 30_000
/** The owners of a new collection have begun its copies, and know that the others have. */
const SETTLED_MS = 120_000
const MEASURED_MS = 60_000
/** Keys of a grid, of which one in a hundred is written. */
const KEYS = 100_000
const WRITES = KEYS / 100
const WRITE_GAP_MS = 5
const VALUE = new Uint8Array(100)

/**
 * Peers of one thread with simulated time, who own partitions that nothing is written to: what core sends, without libp2p's framing,
 * pings and gossip of its own. A broadcast counts once for each peer that it reaches. Then some keys are written.
 */
export const idlePartitions: Bench = {
  name: 'idle-partitions',
  summary: `core alone: what ${SIZES.join(', ')} peers send that own ${COLLECTIONS} x ${PARTITIONS} idle partitions`,
  runsDefault: 1,
  run: async (progress) => {
    const figures: Figures = {}
    for (const size of SIZES) {
      const grid = new QuietGrid(size)
      grid.advance(MET_MS)
      const withoutBytesPerSec = grid.measure()
      grid.register()
      grid.advance(SETTLED_MS)
      grid.checkWhole()
      const idleBytesPerSec = grid.measure()
      progress(`${size} peers: ${Math.round(withoutBytesPerSec)}, then ${Math.round(idleBytesPerSec)} B/s each`)
      const writtenBytes = grid.write() - (idleBytesPerSec * size * (WRITES * WRITE_GAP_MS + MEASURED_MS)) / 1000
      Object.assign(figures, {
        [`withoutPartitionsBytesPerSec${size}`]: withoutBytesPerSec,
        [`idleBytesPerSec${size}`]: idleBytesPerSec,
        [`bytesPerWrite${size}`]: writtenBytes / WRITES,
      })
    }
    return figures
  },
}

interface QuietPeer {
  readonly peer: Peer
  readonly neighbours: Set<string>
}

/** Peers without disks that fail, links that lose, and any delay. */
class QuietGrid {
  readonly #peers = new Map<string, QuietPeer>()
  readonly #inputs: { readonly to: string; readonly input: Input }[] = []
  #nowMs = 1000
  #sentBytes = 0

  constructor(size: number) {
    const random = new Random(7)
    for (let i = 0; i < size; i++) {
      const peerId = `12D3KooWIdlePeerOfTheBenchmarkOfPartitionsNumber${10_000 + i}`
      const opening = openPeer({
        peerId,
        gridName: 'idle',
        random: random.fork(`peer ${i}`),
        persistent: true,
        direct: true,
        software: 'bench',
        partitioning: partitioning({ joins: true }),
      })
      this.#peers.set(peerId, { peer: opening.finish(this.#now), neighbours: new Set() })
    }
    const names = [...this.#peers.keys()]
    for (const [i, name] of names.entries()) {
      // Each has the half of its neighbours at growing distances, and is one for as many.
      for (let turn = 0; turn < Math.min(size - 1, NEIGHBOURS_MAX) / 2; turn++) {
        const distance = size <= NEIGHBOURS_MAX ? turn + 1 : (1 + turn * Math.floor(size / NEIGHBOURS_MAX)) % size
        this.#link(name, names[(i + distance) % size]!)
      }
    }
  }

  /** Opens the collections at one peer. All others hear of them. */
  register(): void {
    const [first] = this.#peers.values()
    for (let i = 0; i < COLLECTIONS; i++) {
      first!.peer.open({ name: `map ${i}`, kind: 'map', mode: 'partitioned', partitions: PARTITIONS, owners: OWNERS })
    }
  }

  /** Throws unless each partition has all its owners, and those are whole. */
  checkWhole(): void {
    let whole = 0
    for (const { peer } of this.#peers.values()) whole += peer.partitions.report(this.#now)?.whole ?? 0
    const expected = COLLECTIONS * PARTITIONS * OWNERS
    if (whole !== expected) throw new Error(`${whole} of ${expected} copies are whole`)
  }

  /** Writes keys of all collections, from all peers in turn. Returns the bytes that all peers sent until they had settled. */
  write(): number {
    const before = this.#sentBytes
    const peers = [...this.#peers.entries()]
    for (let i = 0; i < WRITES; i++) {
      const [name, { peer }] = peers[i % peers.length]!
      const partition = { collection: `map ${i % COLLECTIONS}`, kind: 1, partition: PARTITIONS + (i % PARTITIONS) }
      peer.partitions.write(partition, `key ${i}`, VALUE, this.#now)
      this.#step(name, { type: 'tick' })
      this.advance(WRITE_GAP_MS)
    }
    this.advance(MEASURED_MS)
    return this.#sentBytes - before
  }

  /** Bytes that a peer sends in a second, while time passes. */
  measure(): number {
    const before = this.#sentBytes
    this.advance(MEASURED_MS)
    return (this.#sentBytes - before) / this.#peers.size / (MEASURED_MS / 1000)
  }

  advance(ms: number): void {
    const untilMs = this.#nowMs + ms
    for (;;) {
      this.#deliver()
      let nextMs = Infinity
      for (const { peer } of this.#peers.values()) nextMs = Math.min(nextMs, peer.wakeAtMs)
      if (nextMs > untilMs) break
      this.#nowMs = Math.max(this.#nowMs, nextMs)
      for (const [name, { peer }] of this.#peers) if (peer.wakeAtMs <= this.#nowMs) this.#step(name, { type: 'tick' })
    }
    this.#nowMs = untilMs
  }

  get #now(): { readonly wallMs: number; readonly monotonicMs: number } {
    return { wallMs: Date.UTC(2026, 10, 22) + this.#nowMs, monotonicMs: this.#nowMs }
  }

  #link(a: string, b: string): void {
    const [{ neighbours }, other] = [this.#peers.get(a)!, this.#peers.get(b)!]
    if (a === b || neighbours.has(b)) return
    neighbours.add(b)
    other.neighbours.add(a)
    this.#step(a, { type: 'connected', neighbour: b })
    this.#step(b, { type: 'connected', neighbour: a })
  }

  #deliver(): void {
    for (let at = 0; at < this.#inputs.length; at++) {
      const { to, input } = this.#inputs[at]!
      this.#step(to, input)
    }
    this.#inputs.length = 0
  }

  #step(name: string, input: Input): void {
    for (const effect of this.#peers.get(name)!.peer.step(input, this.#now)) this.#perform(name, effect)
  }

  #perform(from: string, effect: Effect): void {
    const { neighbours } = this.#peers.get(from)!
    if (effect.type === 'send') {
      if (neighbours.has(effect.to)) this.#pass(effect.to, { type: 'message', from, bytes: effect.bytes })
    } else if (effect.type === 'direct') {
      for (const to of effect.to) if (neighbours.has(to)) this.#pass(to, { type: 'direct', from, bytes: effect.bytes })
      this.#inputs.push({ to: from, input: { type: 'directed', missed: [] } })
    } else if (effect.type === 'broadcast') {
      for (const to of this.#peers.keys())
        if (to !== from) this.#pass(to, { type: 'broadcast', from, bytes: effect.bytes })
      this.#inputs.push({ to: from, input: { type: 'broadcasted' } })
    } else if (effect.type === 'dial') this.#link(from, effect.peerId)
    else if (effect.type === 'store') this.#inputs.push({ to: from, input: { type: 'stored', ticket: effect.ticket } })
  }

  #pass(to: string, input: Extract<Input, { readonly bytes: Uint8Array }>): void {
    this.#sentBytes += input.bytes.length
    this.#inputs.push({ to, input })
  }
}
