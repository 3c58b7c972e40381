/** Shorter timers are over before anybody would notice. */
const LONG_MS = 50

interface Timer {
  readonly ms: number
  readonly place: string
}

export interface WatchedTimers {
  /** The long timers that would keep the process alive now, and where they were set. */
  left(): readonly string[]
  forget(): void
}

/** Watches all timers that are set from now on. Modules that keep the functions of before have to be loaded later. */
export function watchTimers(): WatchedTimers {
  const running = new Map<unknown, Timer>()
  const { setTimeout: set, clearTimeout: clear, setInterval: repeat, clearInterval: endRepeat } = globalThis
  const begin = (timer: unknown, ms: number | undefined): void => {
    const [, , , place = ''] = new Error('here').stack?.split('\n') ?? []
    running.set(timer, { ms: ms ?? 0, place: place.trim() })
  }
  const end = (timer: unknown): void => void running.delete(timer)
  const timeout = (call: (...args: unknown[]) => void, ms?: number, ...args: unknown[]): unknown => {
    const timer = set(() => {
      end(timer)
      call(...args)
    }, ms)
    begin(timer, ms)
    return timer
  }
  const interval = (call: (...args: unknown[]) => void, ms?: number, ...args: unknown[]): unknown => {
    const timer = repeat(call, ms, ...args)
    begin(timer, ms)
    return timer
  }
  Object.assign(globalThis, {
    setTimeout: Object.assign(timeout, set),
    setInterval: Object.assign(interval, repeat),
    clearTimeout: (timer?: number) => {
      end(timer)
      clear(timer)
    },
    clearInterval: (timer?: number) => {
      end(timer)
      endRepeat(timer)
    },
  })
  return {
    left: () =>
      [...running]
        .filter(([timer, { ms }]) => ms > LONG_MS && keepsAlive(timer))
        .map(([, { ms, place }]) => `a timer of ${Math.round(ms)} ms ${place}`),
    forget: () => running.clear(),
  }
}

function keepsAlive(timer: unknown): boolean {
  const { hasRef } = Object(timer) as { hasRef?: () => boolean }
  return hasRef?.call(timer) !== false
}
