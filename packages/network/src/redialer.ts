import { GridError } from '@gossipgrid/core'
import type { PeerId } from '@gossipgrid/core'
import { peerIdIn } from './addresses.ts'
import { backoffMs, spreadMs } from './backoff.ts'
import type { DialWindow } from './dial-window.ts'
import { dialAborted } from './ending.ts'

/** How many addresses are kept for one peer. The latest announced come first. */
const ADDRESSES_MAX = 16
/** How many peers are remembered besides those to join by. */
const REMEMBERED_MAX = 256
/** A peer that has not answered for this long is forgotten. Core dials it when its member record comes again. */
const FORGOTTEN_AFTER_MS = 60 * 60 * 1000
/** The shortest time between two looks for due dials, in milliseconds. A redial can be late by this much. */
const SWEEP_MIN_MS = 200
/** The longest while a peer is missing that could be dialled and may not. */
const SWEEP_MAX_MS = 2000
/** The longest while nothing is missing. */
const REST_MAX_MS = 30_000
/** An address to join by is reported when it has failed so often: peers that start together fail once or twice. */
const REPORTED_FAILURES = 3

export interface RedialerDeps {
  /** Dials and resolves with the peer once it is a neighbour. */
  readonly dial: (addresses: readonly string[], signal?: AbortSignal) => Promise<PeerId>
  readonly isConnected: (peerId: PeerId) => boolean
  /** False for a peer that is refused or blocked. Also false if this peer has enough neighbours, except for addresses to join by. */
  readonly mayDial: (peerId: PeerId | undefined, joining: boolean) => boolean
  /** An address to join by fails. It is tried again; until it answers, this is not called again. */
  readonly unreached: (addresses: readonly string[], error: unknown) => void
  /** How many other members this peer knows of. */
  readonly members: () => number
  /** How many dials may run at once. */
  readonly window: Pick<DialWindow, 'dialsMax'>
  /** A number in [0, 1). */
  readonly random: () => number
}

interface Target {
  peerId: PeerId | undefined
  addresses: string[]
  readonly permanent: boolean
  failures: number
  dueMs: number
  dialling: boolean
  unreachableSinceMs: number | undefined
}

/** A dial that was asked for and waits for its turn. It runs once. */
interface Request {
  readonly peerId: PeerId | undefined
  readonly addresses: Set<string>
  readonly signal: AbortSignal | undefined
  readonly outcome: PromiseWithResolvers<PeerId>
}

/**
 * Dials peers that should be neighbours and are not. libp2p 3 neither dials what discovery finds nor dials again after a
 * connection broke. Addresses to join by are tried for ever, other peers for an hour.
 */
export class Redialer {
  readonly #deps: RedialerDeps
  readonly #targets = new Map<string, Target>()
  /** By peer id or else address, so that requests for one peer share a dial. One that may be aborted has a dial of its own. */
  readonly #requests = new Map<string | AbortSignal, Request>()
  #timer: ReturnType<typeof setTimeout> | undefined
  /** When the timer ends. */
  #sweepAtMs = Infinity
  #dialling = 0

  constructor(deps: RedialerDeps) {
    this.#deps = deps
  }

  /** Dials `joinAddresses` at once. */
  start(joinAddresses: readonly string[]): void {
    for (const address of joinAddresses) {
      this.#targets.set(address, newTarget(peerIdIn(address), [address], true))
    }
    this.#arm(SWEEP_MIN_MS)
    this.#sweep()
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#targets.clear()
    for (const { outcome } of this.#requests.values()) outcome.reject(stopped())
    this.#requests.clear()
  }

  /** Dials `address` once, as soon as few enough other dials run. Rejects when that fails, or when this peer stops. */
  request(address: string, signal?: AbortSignal): Promise<PeerId> {
    if (this.#timer === undefined) return Promise.reject(stopped())
    const peerId = peerIdIn(address)
    const key = signal ?? peerId ?? address
    let request = this.#requests.get(key)
    if (request === undefined) {
      request = { peerId, addresses: new Set(), signal, outcome: Promise.withResolvers<PeerId>() }
      this.#requests.set(key, request)
    }
    request.addresses.add(address)
    this.#sweep()
    return request.outcome.promise
  }

  /** Addresses of a peer have become known. It is dialled after `delayMs` if it is no neighbour by then. */
  learn(peerId: PeerId, addresses: readonly string[], delayMs: number): void {
    if (this.#timer === undefined || addresses.length === 0) return
    let target = this.#targets.get(peerId)
    if (target === undefined) {
      if (this.#targets.size >= REMEMBERED_MAX) this.#forgetOne()
      target = newTarget(peerId, [], false)
      this.#targets.set(peerId, target)
    }
    target.addresses = [...new Set([...addresses, ...target.addresses])].slice(0, ADDRESSES_MAX)
    target.dueMs = performance.now() + delayMs
    this.#arm(SWEEP_MIN_MS)
  }

  /** The peer turned out not to be of this grid. */
  forget(peerId: PeerId): void {
    this.#targets.delete(peerId)
  }

  addresses(peerId: PeerId): readonly string[] {
    const found = [...this.#targets.values()].filter((target) => target.peerId === peerId)
    return [...new Set(found.flatMap((target) => target.addresses))]
  }

  /** The peer is a neighbour. */
  reached(peerId: PeerId): void {
    for (const target of this.#targets.values()) {
      if (target.peerId !== peerId) continue
      target.failures = 0
      target.unreachableSinceMs = undefined
    }
  }

  /** The peer is no neighbour any more. It is dialled again after the shortest wait plus `delayMs`, or later in a large grid. */
  lost(peerId: PeerId, delayMs: number): void {
    const { members, random } = this.#deps
    const dueMs = performance.now() + backoffMs(0, random()) + spreadMs(members(), random()) + delayMs
    for (const target of this.#targets.values()) if (target.peerId === peerId) target.dueMs = dueMs
    if (this.#timer !== undefined) this.#arm(SWEEP_MIN_MS)
  }

  /** Dials all missing peers now, without the rest of their waits. */
  wake(): void {
    for (const target of this.#targets.values()) {
      target.failures = 0
      target.dueMs = 0
    }
    this.#sweep()
  }

  /** Sweeps after `afterMs` at the latest: a sweep that is to come sooner is not put off. */
  #arm(afterMs: number): void {
    const sweepAtMs = performance.now() + afterMs
    if (this.#timer !== undefined && this.#sweepAtMs <= sweepAtMs) return
    clearTimeout(this.#timer)
    this.#sweepAtMs = sweepAtMs
    this.#timer = setTimeout(() => {
      this.#sweepAtMs = Infinity
      this.#sweep()
      this.#arm(this.#nextSweepAfterMs)
    }, afterMs)
  }

  /** How long until the next missing peer is to be dialled. One that is due and is not dialled has to wait for others, or must not be. */
  get #nextSweepAfterMs(): number {
    const nowMs = performance.now()
    let afterMs = REST_MAX_MS
    for (const { dialling, dueMs, peerId } of this.#targets.values()) {
      if (peerId !== undefined && this.#deps.isConnected(peerId)) continue
      const isWaiting = dialling || dueMs <= nowMs
      afterMs = Math.min(afterMs, SWEEP_MAX_MS, isWaiting ? SWEEP_MAX_MS : dueMs - nowMs)
    }
    return Math.max(SWEEP_MIN_MS, afterMs)
  }

  /** Starts as many dials as may run. Addresses to join by come first, then requests, then those that failed least. */
  #sweep(): void {
    const due = this.#dueTargets().toSorted((a, b) => a.failures - b.failures)
    for (const target of due.filter(({ permanent }) => permanent)) {
      if (this.#hasRoom) void this.#dialTarget(target)
    }
    for (const [key, request] of this.#requests) {
      if (!this.#hasRoom) return
      this.#requests.delete(key)
      void this.#dialRequest(request)
    }
    for (const target of due) {
      if (!this.#hasRoom) return
      if (!target.dialling) void this.#dialTarget(target)
    }
  }

  get #hasRoom(): boolean {
    return this.#dialling < this.#deps.window.dialsMax
  }

  #dueTargets(): Target[] {
    const nowMs = performance.now()
    const due: Target[] = []
    for (const [key, target] of this.#targets) {
      if (target.dialling) continue
      if (target.peerId !== undefined && this.#deps.isConnected(target.peerId)) continue
      if (target.dueMs > nowMs || !this.#deps.mayDial(target.peerId, target.permanent)) continue
      target.unreachableSinceMs ??= nowMs
      if (!target.permanent && nowMs - target.unreachableSinceMs > FORGOTTEN_AFTER_MS) this.#targets.delete(key)
      else due.push(target)
    }
    return due
  }

  async #dialTarget(target: Target): Promise<void> {
    target.dialling = true
    try {
      target.peerId = await this.#dial(target.addresses)
      this.reached(target.peerId)
    } catch (error) {
      target.dueMs = performance.now() + backoffMs(target.failures, this.#deps.random())
      target.failures += 1
      if (target.permanent && target.failures === REPORTED_FAILURES) this.#deps.unreached(target.addresses, error)
    } finally {
      target.dialling = false
    }
  }

  async #dialRequest({ peerId, addresses, signal, outcome }: Request): Promise<void> {
    try {
      if (signal?.aborted === true) throw dialAborted()
      const isThere = peerId !== undefined && this.#deps.isConnected(peerId)
      outcome.resolve(isThere ? peerId : await this.#dial([...addresses], signal))
    } catch (error) {
      outcome.reject(error)
    }
  }

  async #dial(addresses: readonly string[], signal?: AbortSignal): Promise<PeerId> {
    this.#dialling += 1
    try {
      return await this.#deps.dial(addresses, signal)
    } finally {
      this.#dialling -= 1
      queueMicrotask(() => {
        if (this.#timer === undefined) return
        this.#sweep()
        this.#arm(SWEEP_MIN_MS)
      })
    }
  }

  /** Makes room for one: forgets the peer that has been unreachable for longest, or else the oldest. */
  #forgetOne(): void {
    let worst: string | undefined
    let worstSinceMs = Infinity
    for (const [key, target] of this.#targets) {
      if (target.permanent) continue
      const sinceMs = target.unreachableSinceMs ?? Number.MAX_VALUE
      if (sinceMs < worstSinceMs) {
        worst = key
        worstSinceMs = sinceMs
      }
    }
    if (worst !== undefined) this.#targets.delete(worst)
  }
}

function newTarget(peerId: PeerId | undefined, addresses: string[], permanent: boolean): Target {
  return { peerId, addresses, permanent, failures: 0, dueMs: 0, dialling: false, unreachableSinceMs: undefined }
}

function stopped(): GridError {
  return new GridError('NETWORK_DIAL_FAILED', 'this peer does not run')
}
