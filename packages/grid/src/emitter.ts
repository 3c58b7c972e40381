import type { Logger } from './logger.ts'

/** Calls listeners by event type. A listener that throws is logged and harms nobody else. */
export class Emitter<Events extends object> {
  readonly #listeners = new Map<keyof Events, Set<(event: never) => void>>()
  readonly #logger: Logger

  constructor(logger: Logger) {
    this.#logger = logger
  }

  /** Adds a listener; the function returned takes it away again, and so does `signal`. */
  on<Type extends keyof Events>(
    type: Type,
    listener: (event: Events[Type]) => void,
    options: { readonly signal?: AbortSignal } = {},
  ): () => void {
    const listeners = this.#listeners.get(type) ?? new Set()
    this.#listeners.set(type, listeners)
    listeners.add(listener)
    const off = (): void => {
      listeners.delete(listener)
      options.signal?.removeEventListener('abort', off)
    }
    if (options.signal?.aborted === true) off()
    else options.signal?.addEventListener('abort', off, { once: true })
    return off
  }

  has(type: keyof Events): boolean {
    return (this.#listeners.get(type)?.size ?? 0) > 0
  }

  emit<Type extends keyof Events>(type: Type, event: Events[Type]): void {
    for (const listener of [...(this.#listeners.get(type) ?? [])]) {
      try {
        ;(listener as (event: Events[Type]) => void)(event)
      } catch (error) {
        this.#logger.error(`a listener of '${String(type)}' threw: ${String(error)}`, { event: type, error })
      }
    }
  }
}
