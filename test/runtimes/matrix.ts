import { deepEqual, equal } from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import { WRITES_PER_ROUND } from './matrix-calls.ts'
import type { MatrixContent, MatrixState, RemotePeer } from './matrix-calls.ts'

const LISTEN = ['/ip4/127.0.0.1/tcp/0', '/ip4/127.0.0.1/tcp/0/ws']
const HOLDS_WITHIN_MS = 120_000

/** How to open one peer of the matrix. */
export interface SeatOptions {
  readonly directory?: string
  /** Multiaddrs to listen on; default TCP and WebSockets on loopback. */
  readonly listen?: readonly string[]
  /** Which addresses of the first peer to join by; default all. */
  readonly over?: (address: string) => boolean
}

interface Seat {
  readonly peer: RemotePeer
  readonly peerId: string
  readonly addresses: readonly string[]
}

/**
 * One grid of peers on different runtimes. Every peer writes the same number of entries, elements and words in each
 * round, so the number of rounds decides what must be there in the end.
 */
export class Matrix {
  readonly #seats: Seat[] = []
  #rounds = 0

  /** Opens a peer, which joins the first one. */
  async open(peer: RemotePeer, { directory, listen = LISTEN, over = () => true }: SeatOptions = {}): Promise<void> {
    const join = this.#seats[0]?.addresses.filter(over) ?? []
    const opening = { self: peer.name, listen, join, ...(directory === undefined ? {} : { directory }) }
    this.#seats.push({ peer, ...(await peer.ask('open', opening)) })
  }

  /** Waits until each is connected to all others. */
  async connected(): Promise<void> {
    await until('everyone connected', async () => {
      return (await this.#states()).every(({ neighbours }) => neighbours === this.#seats.length - 1)
    })
  }

  /** A round of writes by all peers at the same time. */
  async write(): Promise<void> {
    const round = this.#rounds++
    await Promise.all(this.#seats.map(({ peer }) => peer.ask('write', { round })))
  }

  /** Cuts the network between the peer of that name and all others. */
  async split(alone: string): Promise<void> {
    const side = (seat: Seat): boolean => seat.peer.name === alone
    const idsAcross = (seat: Seat): string[] =>
      this.#seats.filter((other) => side(other) !== side(seat)).map(({ peerId }) => peerId)
    await Promise.all(this.#seats.map((seat) => seat.peer.ask('split', idsAcross(seat))))
  }

  async heal(): Promise<void> {
    await Promise.all(this.#seats.map(({ peer }) => peer.ask('split', [])))
  }

  /** The number of different contents. */
  async variants(): Promise<number> {
    return new Set((await this.#states()).map(({ fingerprints }) => fingerprints)).size
  }

  /** Waits for equal fingerprints, then reads everything and checks that it has every acknowledged write. */
  async expectEqual(): Promise<MatrixContent> {
    await until('equal fingerprints', async () => (await this.variants()) === 1)
    const [first, ...others] = await Promise.all(this.#seats.map(({ peer }) => peer.ask('content', null)))
    for (const other of others) deepEqual(other, first)
    this.#expectAllWrites(first!)
    return first!
  }

  async close(): Promise<void> {
    await Promise.all(this.#seats.map(({ peer }) => peer.ask('close', null)))
  }

  #states(): Promise<MatrixState[]> {
    return Promise.all(this.#seats.map(({ peer }) => peer.ask('state', null)))
  }

  #expectAllWrites({ map, counter, set, text }: MatrixContent): void {
    const own: string[] = []
    for (const { peer } of this.#seats) {
      for (let round = 0; round < this.#rounds; round++) {
        for (let i = 0; i < WRITES_PER_ROUND; i++) own.push(`${peer.name} ${round} ${i}`)
      }
    }
    const isOwn = (key: string): boolean => !key.startsWith('shared')
    deepEqual(map.map(([key]) => key).filter(isOwn), own.toSorted())
    equal(map.length, own.length + WRITES_PER_ROUND)
    equal(counter, own.length)
    deepEqual(set.filter(isOwn), own.toSorted())
    const words = own.filter((key) => !key.endsWith(' 0')).map((key) => key.replaceAll(' ', '-'))
    deepEqual(text.trimEnd().split(' ').toSorted(), words.toSorted())
  }
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + HOLDS_WITHIN_MS
  while (!(await holds())) {
    if (performance.now() > endMs) throw new Error(`Still not: ${what}`)
    await delay(50)
  }
}
