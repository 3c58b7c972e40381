import type { Logger } from '../logger.ts'

type Listener = (...event: unknown[]) => unknown

/** Calls listeners by the type of event, with as many arguments as it has. One that throws or rejects is logged and harms no other. */
export class ProviderEvents<Events extends { readonly [Type in keyof Events]: (...event: never[]) => void }> {
  readonly #logger: Logger
  /** By what was passed, what is called. */
  readonly #listeners = new Map<keyof Events, Map<unknown, Listener>>()
  /** Events that listeners caused while they were called: they come after the one under way, for every listener. */
  #waiting: (() => void)[] = []
  #isEmitting = false

  constructor(logger: Logger) {
    this.#logger = logger
  }

  on<Type extends keyof Events>(type: Type, listener: Events[Type]): void {
    this.#add(type, listener, listener as unknown as Listener)
  }

  once<Type extends keyof Events>(type: Type, listener: Events[Type]): void {
    this.#add(type, listener, (...event) => {
      this.off(type, listener)
      return (listener as unknown as Listener)(...event)
    })
  }

  off<Type extends keyof Events>(type: Type, listener: Events[Type]): void {
    this.#listeners.get(type)?.delete(listener)
  }

  emit<Type extends keyof Events>(type: Type, ...event: Parameters<Events[Type]>): void {
    this.emitEach([type], ...event)
  }

  /** One event that has several names. */
  emitEach<Type extends keyof Events>(types: readonly Type[], ...event: Parameters<Events[Type]>): void {
    this.#waiting.push(() => {
      for (const type of types) {
        for (const listener of [...(this.#listeners.get(type)?.values() ?? [])]) {
          this.guard(String(type), () => listener(...event))
        }
      }
    })
    if (this.#isEmitting) return
    this.#isEmitting = true
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) next()
    this.#isEmitting = false
  }

  /** Calls a function of the application, and logs its errors. */
  guard(what: string, call: () => unknown): void {
    const failed = (error: unknown): void =>
      this.#logger.error(`a listener of '${what}' threw: ${String(error)}`, { event: what, error })
    try {
      const result = call()
      if (result instanceof Promise) result.catch(failed)
    } catch (error) {
      failed(error)
    }
  }

  clear(): void {
    this.#listeners.clear()
  }

  #add(type: keyof Events, key: unknown, listener: Listener): void {
    const listeners = this.#listeners.get(type) ?? new Map<unknown, Listener>()
    this.#listeners.set(type, listeners.set(key, listener))
  }
}
