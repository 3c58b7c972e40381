import { GridError, requireKnown, shown } from '@gossipgrid/core'
import type { Storage } from '@gossipgrid/core'
import { openGrid } from 'gossipgrid'
import type { Grid, Logger, OpenGridOptions } from 'gossipgrid'
import { memoryNetworkHub } from '../memory-network.ts'
import type { MemoryNetworkHub } from '../memory-network.ts'
import { LabClock, durationMs } from './lab-clock.ts'
import type { Duration } from './lab-clock.ts'
import { LabDisk } from './lab-disk.ts'
import { checkGroups, checkLabGridOptions, checkLabOptions, checkNumber } from './lab-options.ts'
import type { OpenLabOptions } from './lab-options.ts'
import { differences, stateOf } from './lab-state.ts'

const CONVERGED_MAX_MS = 10_000
/** The longest wait of a timer. */
const TIMEOUT_MAX_MS = 2 ** 31 - 1
/** Peers must be equal in two looks that are this far apart: an edit of a document becomes a row a moment later. */
const LOOK_AGAIN_MS = 15
const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
}

/**
 * Opens peers of one grid for a test: real grids, on a network in memory that the test can split, slow down and break. Resolves when
 * they have all met. Rejects with `INVALID_OPTION`.
 *
 * @example
 * ```ts
 * import { openLab } from '@gossipgrid/testing'
 * const lab = await openLab({ peers: 3, latencyMs: 20 })
 * lab.split([0], [1, 2])
 * await lab.grids[0]!.map('users').set('ada', { age: 36 })
 * lab.heal()
 * await lab.converged()
 * console.log(await lab.grids[2]!.map('users').get('ada')) // { age: 36 }
 * await lab.close()
 * ```
 */
export async function openLab(options: OpenLabOptions = {}): Promise<Lab> {
  checkLabOptions(options)
  const lab = new Lab(options)
  try {
    for (let peer = 0; peer < (options.peers ?? 3); peer += 1) await lab.open(peer)
    await lab.converged()
    return lab
  } catch (error) {
    await lab.close()
    throw error
  }
}

interface LabPeer {
  readonly disk: LabDisk | undefined
  readonly clock: LabClock
  readonly grid: Grid
  readonly running: boolean
}

/** Peers of one grid in one process, and what can happen to them. From `openLab`. */
export class Lab {
  readonly #options: OpenLabOptions
  readonly #hub: MemoryNetworkHub
  readonly #peers: LabPeer[] = []
  readonly #peerIds: string[] = []
  /** Grids of peers that crashed, while what is left of them is put away. */
  readonly #ending = new Set<Promise<void>>()
  #groups: readonly (readonly number[])[] = []
  #made = 0

  /** @internal */
  constructor(options: OpenLabOptions) {
    this.#options = options
    this.#hub = memoryNetworkHub({ latencyMs: options.latencyMs ?? 0 })
  }

  /** The grids, by the number of their peer. The grid of a peer that crashed rejects with `CLOSED`; `restart` puts a new one here. */
  get grids(): readonly Grid[] {
    return this.#peers.map(({ grid }) => grid)
  }

  /**
   * Splits the network: peers of different groups cannot reach each other. Peers that are in no group form one more group. It
   * replaces an earlier split. Throws `INVALID_OPTION`.
   */
  split(...groups: readonly (readonly number[])[]): void {
    checkGroups(groups)
    const named = groups.flat()
    for (const peer of named) this.#peer(peer)
    if (new Set(named).size < named.length) throw new GridError('INVALID_OPTION', 'a peer can be in one group only')
    this.#groups = groups
    this.#splitHub()
  }

  /** Ends the split. Peers connect again within 20 ms, and exchange what differs. */
  heal(): void {
    this.#groups = []
    this.#hub.heal()
  }

  /**
   * Loses this share of what is sent, from 0 to 1, until it is set again. A lost broadcast never arrives, and anti-entropy repairs that
   * later. A lost message of a session is sent again, and arrives late. Throws `INVALID_OPTION`.
   */
  lose(share: number): void {
    if (!(typeof share === 'number' && share >= 0 && share < 1)) {
      const text = `the share that is lost must be a number from 0 to less than 1, not ${shown(share)}`
      throw new GridError('INVALID_OPTION', text)
    }
    this.#hub.lossShare = share
  }

  /**
   * Crashes a peer, as a power cut does: it says no goodbye, its writes that are not durable are lost, and its grid rejects with `CLOSED`
   * from now on. Throws `INVALID_OPTION` if it does not run.
   */
  crash(peer: number): void {
    const crashed = this.#running(peer)
    this.#hub.crash(this.#peerIds[peer]!)
    crashed.disk?.crash()
    this.#peers[peer] = { ...crashed, running: false }
    crashed.grid.pump.halt()
    // It reports what it could not store, which is the point of a crash.
    const ended = crashed.grid.close().catch(() => undefined)
    this.#ending.add(ended)
    void ended.then(() => this.#ending.delete(ended))
  }

  /**
   * Starts a peer again, from its disk. One that still runs is closed first, as by a deploy. Resolves to its new grid, which is
   * also in `grids`. It may not have met another peer yet: `converged` waits for that. Rejects with `INVALID_OPTION`.
   */
  async restart(peer: number): Promise<Grid> {
    const { grid, running } = this.#peer(peer)
    if (running) await grid.close()
    await Promise.all(this.#ending)
    return this.open(peer)
  }

  /** The wall clock of a peer. Its disk keeps it through restarts. Throws `INVALID_OPTION`. */
  clock(peer: number): LabClock {
    return this.#peer(peer).clock
  }

  /**
   * Lets time pass: sets the clocks of all peers ahead, and removes the entries that have expired by then. Timers and timeouts do not follow.
   * Throws `INVALID_OPTION`.
   */
  pass(duration: Duration): void {
    durationMs(duration)
    for (const { clock, grid, running } of this.#peers) {
      clock.ahead(duration)
      if (running) grid.status()
    }
  }

  /**
   * Resolves when all peers that run and can reach each other hold the same. Rejects with an error that names the peers and
   * collections that still differ, after `timeoutMs`: 10,000 by default. Rejects with `INVALID_OPTION`.
   */
  async converged(options: { readonly timeoutMs?: number } = {}): Promise<void> {
    requireKnown(options, { timeoutMs: true })
    const { timeoutMs = CONVERGED_MAX_MS } = options
    checkNumber('timeoutMs', timeoutMs, 0, TIMEOUT_MAX_MS)
    const endMs = performance.now() + timeoutMs
    const gapMs = LOOK_AGAIN_MS + (this.#options.latencyMs ?? 0)
    for (let equal = 0; equal < 2;) {
      const difference = this.#difference()
      equal = difference === undefined ? equal + 1 : 0
      if (difference !== undefined && performance.now() > endMs) {
        throw new Error(`the peers did not converge within ${timeoutMs} ms: ${difference}`)
      }
      if (equal < 2) await new Promise((resolve) => setTimeout(resolve, gapMs))
    }
  }

  /** Closes all peers. Idempotent. */
  async close(): Promise<void> {
    this.#hub.lossShare = 0
    const running = this.#peers.filter((peer) => peer.running)
    await Promise.all([...running.map(({ grid }) => grid.close()), ...this.#ending])
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** @internal */
  async open(peer: number): Promise<Grid> {
    const known = this.#peers[peer]
    const clock = known?.clock ?? new LabClock()
    const disk = this.#options.disk === false ? undefined : (known?.disk ?? new LabDisk())
    // Without a disk a peer forgets who it was.
    if (disk === undefined || known === undefined) this.#peerIds[peer] = this.#newPeerId()
    const peerId = this.#peerIds[peer]!
    if (this.#groups.length > 0) this.#splitHub()
    const join = this.#peerIds.filter((other) => other !== peerId).map((other) => `memory:${other}`)
    const network = this.#hub.network({ join, peerId })
    const grid = await openGrid({
      ...this.#gridOptions(peer, disk?.store()),
      network: async () => network,
      wallMs: () => clock.nowMs,
    })
    this.#peers[peer] = { disk, clock, grid, running: true }
    return grid
  }

  #gridOptions(peer: number, storage: Storage | undefined): OpenGridOptions {
    const own = this.#options.grid?.(peer) ?? {}
    checkLabGridOptions(own)
    return { name: 'lab', logger: silent, ...own, ...(storage === undefined ? {} : { storage }) }
  }

  #splitHub(): void {
    this.#hub.split(...this.#groups.map((group) => group.map((peer) => this.#peerIds[peer]!)))
  }

  #newPeerId(): string {
    this.#made += 1
    return `peer-${this.#made}`
  }

  /** What differs between peers that can reach each other, in words. */
  #difference(): string | undefined {
    for (const side of this.#sides()) {
      const states = side.map((peer) => ({ peer, state: stateOf(this.#peer(peer).grid) }))
      for (const [i, { peer, state }] of states.entries()) {
        if (state.quarantined > 0)
          return `peer ${peer} keeps back ${state.quarantined} writes that are dated ahead of its clock`
        // The owners may be on the other side.
        if (state.hints > 0 && this.#allInReach)
          return `${state.hints} writes of peer ${peer} wait for the owners of their partitions`
        for (const other of states.slice(i + 1)) {
          const differing = differences(state, other.state)
          if (differing.length > 0) return `peers ${peer} and ${other.peer} differ in ${differing.join(', ')}`
        }
      }
      const unconnected = side.find((peer) => side.length > 1 && !this.#hasMet(peer, side))
      if (unconnected !== undefined) return `peer ${unconnected} is not connected to all peers that it can reach`
    }
    return undefined
  }

  get #allInReach(): boolean {
    return this.#groups.length === 0 && this.#peers.every(({ grid, running }) => running && grid.online)
  }

  #hasMet(peer: number, side: readonly number[]): boolean {
    const { members } = this.#peer(peer).grid
    const met = new Set(members.filter(({ connected, self }) => connected || self).map(({ peerId }) => peerId))
    return side.every((other) => met.has(this.#peerIds[other]!))
  }

  /** The peers that run and are not disconnected, in groups that can reach each other. */
  #sides(): number[][] {
    const running = [...this.#peers.keys()].filter(
      (peer) => this.#peers[peer]!.running && this.#peers[peer]!.grid.online,
    )
    const rest = running.filter((peer) => !this.#groups.flat().includes(peer))
    return [...this.#groups.map((group) => group.filter((peer) => running.includes(peer))), rest].filter(
      (side) => side.length > 0,
    )
  }

  #running(peer: number): LabPeer {
    const found = this.#peer(peer)
    if (found.running) return found
    throw new GridError('INVALID_OPTION', `peer ${peer} does not run: restart it first`)
  }

  #peer(peer: number): LabPeer {
    const found = typeof peer === 'number' ? this.#peers[peer] : undefined
    if (found !== undefined) return found
    const text = typeof peer === 'number' ? `there is no peer ${peer}` : `a peer is a number, not ${shown(peer)}`
    throw new GridError('INVALID_OPTION', `${text}: this lab has the peers 0 to ${this.#peers.length - 1}`)
  }
}
