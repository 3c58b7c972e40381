import { checkKnown, unknownName } from '@gossipgrid/core'
import type { Known } from '@gossipgrid/core'
import { callApplication, textOfError } from '../flow/application-calls.ts'
import type { Failure } from '../flow/application-calls.ts'
import { SIGNAL_OPTION, requireKind } from '../batches/checks.ts'
import { checkSignal } from '../runtime/waiting.ts'
import type { Logger } from '../logger.ts'
import { Seldom } from '../runtime/seldom.ts'

/** The same failure of listeners is logged at most this often. */
const LOG_GAP_MS = 60_000

/** One call of `on`. A function registered twice is called twice, and each `off` removes one of its registrations. */
interface Registration {
  readonly listener: (event: never) => unknown
}

/**
 * Calls listeners by event type. If a listener throws, or its promise rejects, the error is logged and the other listeners
 * are still called.
 */
export class Emitter<Events extends object> {
  readonly #registrations = new Map<keyof Events, Set<Registration>>()
  readonly #logger: Logger
  readonly #types: Known<Events>
  readonly #logged = new Seldom(LOG_GAP_MS)

  constructor(logger: Logger, types: Known<Events>) {
    this.#logger = logger
    this.#types = types
  }

  /**
   * Adds a listener. The returned function removes it, and so does `signal`. Throws `INVALID_OPTION` for an event that
   * does not exist, and if the listener or the signal is of another type.
   */
  on<Type extends keyof Events>(
    type: Type,
    listener: (event: Events[Type]) => unknown,
    options: { readonly signal?: AbortSignal } = {},
  ): () => void {
    checkKnown(options, SIGNAL_OPTION)
    const { signal } = options
    checkEvent(type, this.#types)
    checkListener(listener)
    checkSignal(signal)
    const registrations = this.#registrations.get(type) ?? new Set()
    this.#registrations.set(type, registrations)
    const registration: Registration = { listener }
    const off = (): void => {
      registrations.delete(registration)
      signal?.removeEventListener('abort', off)
    }
    if (signal?.aborted === true) return off
    registrations.add(registration)
    signal?.addEventListener('abort', off, { once: true })
    return off
  }

  has(type: keyof Events): boolean {
    return (this.#registrations.get(type)?.size ?? 0) > 0
  }

  emit<Type extends keyof Events>(type: Type, event: Events[Type]): void {
    const registrations = this.#registrations.get(type)
    if (registrations === undefined) return
    const failed = (failure: Failure, error: unknown): void => this.#failed(String(type), failure, error)
    for (const { listener } of [...registrations]) {
      callApplication(() => (listener as (event: Events[Type]) => unknown)(event), failed, undefined)
    }
  }

  #failed(type: string, failure: Failure, error: unknown): void {
    const message = `a listener of '${type}' ${failure}: ${textOfError(error)}`
    if (this.#logged.due(message, performance.now())) this.#logger.error(message, { event: type, error })
  }
}

/** Throws `INVALID_OPTION` for an event that does not exist: a misspelt one would never come. */
export function checkEvent(type: PropertyKey, types: object): void {
  if (!Object.hasOwn(types, type)) throw unknownName('event', String(type), Object.keys(types))
}

/** Throws `INVALID_OPTION` unless the listener is a function. */
export function checkListener(listener: unknown): void {
  requireKind('a listener', listener, 'function')
}
