import { GridError } from '@gossipgrid/core'
import { orAborted } from '../runtime/waiting.ts'

/** Without a neighbour and without an address to join by, a grid counts as alone after this time. */
const ALONE_AFTER_MS = 3000

/** Whether a peer has exchanged everything with one other, or has found itself alone. */
export class Readiness {
  /** Addresses to join by were given, so being without neighbours means waiting, not being alone. */
  readonly #joining: boolean
  readonly #settled = Promise.withResolvers<{ readonly alone: boolean }>()
  #isReady = false
  #aloneTimer: ReturnType<typeof setTimeout> | undefined

  constructor(joining: boolean) {
    this.#joining = joining
    // A grid that no caller waits for to be ready must not end the program when it is closed.
    this.#settled.promise.then(
      () => (this.#isReady = true),
      () => undefined,
    )
  }

  get isReady(): boolean {
    return this.#isReady
  }

  /** No other peer is known to be missing: this one is ready, or no address to join by was given. */
  get knowsNoOther(): boolean {
    return this.#isReady || !this.#joining
  }

  /** See `Grid.ready`. */
  wait(signal: AbortSignal | undefined): Promise<{ readonly alone: boolean }> {
    return orAborted(this.#settled.promise, signal)
  }

  /** `isAlone` is asked once, after three seconds. */
  watch(isAlone: () => boolean): void {
    if (this.#joining) return
    this.#aloneTimer = setTimeout(() => {
      if (isAlone()) this.#settled.resolve({ alone: true })
    }, ALONE_AFTER_MS)
  }

  /** Everything was exchanged with another peer. */
  exchanged(): void {
    this.#settled.resolve({ alone: false })
  }

  close(): void {
    clearTimeout(this.#aloneTimer)
    this.#settled.reject(new GridError('CLOSED', 'the grid was closed'))
  }
}
