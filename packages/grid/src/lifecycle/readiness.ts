import { GridError } from '@gossipgrid/core'
import { orAborted } from '../runtime/waiting.ts'

/** How often a peer looks whether all that it owns is here. */
const LOOK_GAP_MS = 100
/** A grid without neighbours and without addresses to join counts as alone after this time. */
const ALONE_AFTER_MS = 3000

/** Whether a peer is ready: it has exchanged all data with another peer and has whole what it owns, or it is alone. */
export class Readiness {
  /** There are addresses to join, so a peer without neighbours waits, and is not alone. */
  readonly #joining: boolean
  #settled = this.#begun()
  #isReady = false
  #hasExchanged = false
  #aloneTimer: ReturnType<typeof setTimeout> | undefined
  #lookTimer: ReturnType<typeof setTimeout> | undefined
  readonly #hasOwnWhole: () => boolean

  /** `hasOwnWhole`: whether this peer has whole copies of all partitions that it owns. */
  constructor(joining: boolean, hasOwnWhole: () => boolean) {
    this.#joining = joining
    this.#hasOwnWhole = hasOwnWhole
  }

  get isReady(): boolean {
    return this.#isReady
  }

  /** True if this peer need not wait for another one: it has met one, or has no addresses to join. */
  get knowsNoOther(): boolean {
    return this.#isReady || this.#hasExchanged || !this.#joining
  }

  /** The peer is cut off: what it exchanged before says nothing any more. */
  reset(): void {
    this.#clearTimers()
    if (this.#isReady) this.#settled = this.#begun()
    this.#isReady = false
    this.#hasExchanged = false
  }

  /** See `Grid.ready`. */
  wait(signal: AbortSignal | undefined): Promise<{ readonly alone: boolean }> {
    return orAborted(this.#settled.promise, signal)
  }

  /** Calls `isAlone` once, after three seconds. */
  watch(isAlone: () => boolean): void {
    if (this.#joining) return
    this.#aloneTimer = setTimeout(() => {
      if (isAlone()) this.#settled.resolve({ alone: true })
    }, ALONE_AFTER_MS)
  }

  /** To be called when all data was exchanged with another peer. */
  exchanged(): void {
    if (this.#hasExchanged) return
    this.#hasExchanged = true
    // In a turn of its own: what has come with the exchange may say that this peer owns something.
    this.#lookTimer = setTimeout(() => this.#look(), 0)
  }

  #look(): void {
    if (this.#hasOwnWhole()) this.#settled.resolve({ alone: false })
    else this.#lookTimer = setTimeout(() => this.#look(), LOOK_GAP_MS)
  }

  #begun(): PromiseWithResolvers<{ readonly alone: boolean }> {
    const settled = Promise.withResolvers<{ readonly alone: boolean }>()
    // Closing rejects this promise, which must be no unhandled rejection.
    settled.promise.then(
      () => (this.#isReady = true),
      () => undefined,
    )
    return settled
  }

  #clearTimers(): void {
    clearTimeout(this.#aloneTimer)
    clearTimeout(this.#lookTimer)
  }

  close(): void {
    this.#clearTimers()
    // What comes yet begins nothing any more.
    this.#hasExchanged = true
    this.#settled.reject(new GridError('CLOSED', 'the grid was closed'))
  }
}
