import { GridError } from '@gossipgrid/core'
import { orAborted } from '../runtime/waiting.ts'

/** A grid without neighbours and without addresses to join counts as alone after this time. */
const ALONE_AFTER_MS = 3000

/** Whether a peer is ready: it has exchanged all data with another peer, or it is alone. */
export class Readiness {
  /** There are addresses to join, so a peer without neighbours waits, and is not alone. */
  readonly #joining: boolean
  #settled = this.#begun()
  #isReady = false
  #aloneTimer: ReturnType<typeof setTimeout> | undefined

  constructor(joining: boolean) {
    this.#joining = joining
  }

  get isReady(): boolean {
    return this.#isReady
  }

  /** True if this peer need not wait for another one: it is ready, or has no addresses to join. */
  get knowsNoOther(): boolean {
    return this.#isReady || !this.#joining
  }

  /** The peer is cut off: what it exchanged before says nothing any more. */
  reset(): void {
    clearTimeout(this.#aloneTimer)
    if (this.#isReady) this.#settled = this.#begun()
    this.#isReady = false
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
    this.#settled.resolve({ alone: false })
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

  close(): void {
    clearTimeout(this.#aloneTimer)
    this.#settled.reject(new GridError('CLOSED', 'the grid was closed'))
  }
}
