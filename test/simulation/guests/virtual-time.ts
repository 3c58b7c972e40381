import { KeyObject, createCipheriv, createDecipheriv, createHash, sign, verify } from 'node:crypto'
import { EventQueue } from '../../../packages/testing/src/event-queue.ts'
import type { Random } from '../../../packages/testing/src/random.ts'

const START_WALL_MS = Date.UTC(2026, 0, 1)
/** What AES-GCM adds to a text. */
const TAG_BYTES = 16

/** A timer of a simulation. */
interface Timer {
  isCleared: boolean
  ref(): Timer
  unref(): Timer
  hasRef(): boolean
}

type Subtle = typeof crypto.subtle

/**
 * Virtual time for code that uses timers and promises: while it is installed, the timers, clocks, chance and signatures of this process are those of the
 * simulation. After each event everything that follows from it runs, so one seed gives one run.
 */
export class VirtualTime {
  readonly queue: EventQueue = new EventQueue()
  readonly #random: Random
  readonly #nextTurn = globalThis.setImmediate

  constructor(random: Random) {
    this.#random = random
  }

  get wallMs(): number {
    return START_WALL_MS + this.queue.nowMs
  }

  /** Runs `call` after so many milliseconds, and at the earliest in the next one. */
  timer(call: () => void, delayMs: number = 0, everyMs?: number): Timer {
    const timer: Timer = { isCleared: false, ref: () => timer, unref: () => timer, hasRef: () => true }
    const run = (): void => {
      if (timer.isCleared) return
      if (everyMs !== undefined) this.queue.after(Math.max(1, everyMs), run)
      call()
    }
    this.queue.after(Math.max(1, delayMs), run)
    return timer
  }

  /** Runs everything up to a moment. Ends early when `isOver` says so, which is asked after each event. */
  async runUntil(timeMs: number, isOver: () => boolean = () => false): Promise<void> {
    while (!isOver() && this.queue.step(timeMs)) await this.#settle()
  }

  /** Runs events until a promise settles. */
  async settled<Result>(promise: Promise<Result>): Promise<Result> {
    let isSettled = false
    void Promise.allSettled([promise]).then(() => (isSettled = true))
    const endMs = this.queue.nowMs + 120_000
    // What is loaded from files for the first time takes real time.
    for (let turns = 0; !isSettled && turns < 100_000; turns++) {
      await this.#settle()
      if (!isSettled && turns % 20 === 19 && !this.queue.step(endMs) && this.queue.nowMs >= endMs) break
    }
    if (!isSettled) throw new Error('a promise does not settle')
    return promise
  }

  /** Everything that follows from an event without a timer. */
  async #settle(): Promise<void> {
    await new Promise<void>((resolve) => void this.#nextTurn(resolve))
  }

  /** From here on this process lives in virtual time, until the returned function is called. */
  install(): () => void {
    const clear = (timer: Timer | undefined): void => {
      if (timer !== undefined && 'isCleared' in timer) timer.isCleared = true
    }
    const random = this.#random
    const ends = [
      replaced(globalThis, {
        setTimeout: ((call: () => void, delayMs?: number) => this.timer(call, delayMs)) as never,
        setInterval: ((call: () => void, everyMs: number) => this.timer(call, everyMs, everyMs)) as never,
        setImmediate: ((call: () => void) => this.queue.after(0, call)) as never,
        clearTimeout: clear as never,
        clearInterval: clear as never,
      }),
      replaced(performance, { now: () => 1000 + this.queue.nowMs }),
      replaced(Date, { now: () => this.wallMs }),
      replaced(Math, { random: () => random.fraction() }),
      replaced(crypto, {
        getRandomValues: ((array: Uint8Array | Uint32Array) => {
          for (let i = 0; i < array.length; i++) array[i] = random.uint32()
          return array
        }) as never,
        randomUUID: () => `00000000-0000-4000-8000-${String(random.uint32()).padStart(12, '0')}`,
      }),
      replaced(crypto.subtle, SUBTLE_NOW),
    ]
    return () => {
      for (const end of ends.toReversed()) end()
    }
  }
}

/** Signatures, hashes and seals that are there at once: those of the platform come whenever its threads are done. */
const SUBTLE_NOW: Partial<Subtle> = {
  digest: (async (_algorithm: unknown, bytes: Uint8Array) =>
    exact(createHash('sha256').update(bytes).digest())) as never,
  sign: (async (_algorithm: unknown, key: CryptoKey, text: Uint8Array) =>
    exact(sign(null, text, KeyObject.from(key as never)))) as never,
  verify: (async (_algorithm: unknown, key: CryptoKey, signature: Uint8Array, text: Uint8Array) =>
    verify(null, text, KeyObject.from(key as never), signature)) as never,
  encrypt: (async ({ iv }: { readonly iv: Uint8Array }, key: CryptoKey, text: Uint8Array) => {
    const cipher = createCipheriv('aes-256-gcm', KeyObject.from(key as never), iv)
    return exact(Buffer.concat([cipher.update(text), cipher.final(), cipher.getAuthTag()]))
  }) as never,
  decrypt: (async ({ iv }: { readonly iv: Uint8Array }, key: CryptoKey, sealed: Uint8Array) => {
    const decipher = createDecipheriv('aes-256-gcm', KeyObject.from(key as never), iv)
    decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES))
    return exact(Buffer.concat([decipher.update(sealed.subarray(0, -TAG_BYTES)), decipher.final()]))
  }) as never,
}

function exact(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer
}

/** Gives an object other properties, until the returned function is called. */
function replaced<Target extends object>(target: Target, changes: Partial<Target>): () => void {
  const before = Object.entries(changes).map(([name]) => [name, Object.getOwnPropertyDescriptor(target, name)] as const)
  for (const [name, value] of Object.entries(changes))
    Object.defineProperty(target, name, { value, configurable: true, writable: true })
  return () => {
    for (const [name, descriptor] of before) {
      if (descriptor === undefined) Reflect.deleteProperty(target, name)
      else Object.defineProperty(target, name, descriptor)
    }
  }
}
