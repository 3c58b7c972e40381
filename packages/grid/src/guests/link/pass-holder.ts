import { passInvalid, readPass } from '../pass-text.ts'
import type { PassSource, ReadPass } from '../pass-text.ts'

/** A pass that ends sooner is renewed before it is shown. */
const LEFT_MIN_MS = 5000
/** A pass is renewed when this share of its time is over. */
const RENEWED_AT = 0.8
/** The least time between two renewals. It doubles with each one that brings no pass with time left. */
const RENEWAL_MIN_MS = 1000
const RENEWAL_MAX_MS = 60_000

/** What a guest has to show: the pass as text, and what it says. */
export interface CarriedPass {
  readonly text: string
  readonly content: ReadPass
}

/** Gets passes, and says when the next one is due. */
export class PassHolder {
  readonly #source: PassSource
  readonly #grid: string
  readonly #wallMs: () => number
  #current: CarriedPass | undefined
  /** How far the clock here is ahead of that of members, which decide when a pass ends. */
  #aheadMs = 0
  /** Renewals one after the other that were of no use, and when the last one of all was, in monotonic milliseconds. */
  #uselessCount = 0
  #renewedAtMs = -Infinity

  constructor(source: PassSource, grid: string, wallMs: () => number) {
    this.#source = source
    this.#grid = grid
    this.#wallMs = wallMs
  }

  /** The pass, another one if it was refused or has nearly ended and was not renewed just now. Rejects with `PASS_INVALID`, and with what the source throws. */
  async get(): Promise<CarriedPass> {
    const current = this.#current
    if (current === undefined) return this.renew()
    const isNew = performance.now() - this.#renewedAtMs < this.retryMs()
    return isNew || this.#leftMs(current) > LEFT_MIN_MS ? current : this.renew()
  }

  /** Another pass from the source. */
  async renew(): Promise<CarriedPass> {
    const beforeMs = this.#current?.content.expiresAtMs ?? 0
    this.#uselessCount += 1
    this.#renewedAtMs = performance.now()
    const given: unknown = typeof this.#source === 'function' ? await this.#source() : this.#source
    if (typeof given !== 'string') throw passInvalid('the function pass has returned no text')
    const text = given.trim()
    const content = readPass(text)
    if (content.grid !== this.#grid) throw passInvalid(`it is for grid '${content.grid}'`)
    const pass = { text, content }
    this.#current = pass
    if (content.expiresAtMs > beforeMs && this.#leftMs(pass) > 0) this.#uselessCount = 0
    return pass
  }

  /** A member has refused the pass: the next one is asked for. */
  refused(): void {
    this.#current = undefined
  }

  /** What the clock of a member shows now. */
  observe(memberWallMs: number): void {
    this.#aheadMs = this.#wallMs() - memberWallMs
  }

  /** In how many milliseconds the pass is to be renewed. Undefined where there is no other one. */
  renewalMs(pass: CarriedPass): number | undefined {
    if (typeof this.#source !== 'function') return undefined
    return Math.max(this.retryMs(), this.#leftMs(pass) * RENEWED_AT)
  }

  /** In how many milliseconds renewing is tried again, if it has failed. */
  retryMs(): number {
    return Math.min(RENEWAL_MAX_MS, RENEWAL_MIN_MS * 2 ** this.#uselessCount)
  }

  #leftMs({ content }: CarriedPass): number {
    return content.expiresAtMs - (this.#wallMs() - this.#aheadMs)
  }
}
