import { passInvalid, readPass } from '../pass-text.ts'
import type { PassSource, ReadPass } from '../pass-text.ts'

/** A pass that ends sooner is renewed before it is shown. */
const LEFT_MIN_MS = 5000
/** A pass is renewed when this share of its time is over. */
const RENEWED_AT = 0.8
const RENEWAL_MIN_MS = 1000

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

  constructor(source: PassSource, grid: string, wallMs: () => number) {
    this.#source = source
    this.#grid = grid
    this.#wallMs = wallMs
  }

  /** The pass, another one if it was refused or has nearly ended. Rejects with `PASS_INVALID`, and with what the source throws. */
  async get(): Promise<CarriedPass> {
    const current = this.#current
    if (current !== undefined && current.content.expiresAtMs - this.#wallMs() > LEFT_MIN_MS) return current
    return this.renew()
  }

  /** Another pass from the source. */
  async renew(): Promise<CarriedPass> {
    const given: unknown = typeof this.#source === 'function' ? await this.#source() : this.#source
    if (typeof given !== 'string') throw passInvalid('the function pass has returned no text')
    const text = given.trim()
    const content = readPass(text)
    if (content.grid !== this.#grid) throw passInvalid(`it is for grid '${content.grid}'`)
    this.#current = { text, content }
    return this.#current
  }

  /** A member has refused the pass: the next one is asked for. */
  refused(): void {
    this.#current = undefined
  }

  /** In how many milliseconds the pass is to be renewed. Undefined where there is no other one. */
  renewalMs({ content }: CarriedPass): number | undefined {
    if (typeof this.#source !== 'function') return undefined
    return Math.max(RENEWAL_MIN_MS, (content.expiresAtMs - this.#wallMs()) * RENEWED_AT)
  }
}
