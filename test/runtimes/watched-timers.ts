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
  const begin = (handle: unknown, ms: number | undefined): void => {
    const [, , , place = ''] = new Error('here').stack?.split('\n') ?? []
    running.set(handle, { ms: ms ?? 0, place: place.trim() })
  }
  const end = (handle: unknown): void => void running.delete(handle)
  const timeout = (call: (...args: unknown[]) => void, ms?: number, ...args: unknown[]): unknown => {
    const handle = set(() => {
      end(handle)
      call(...args)
    }, ms)
    begin(handle, ms)
    return handle
  }
  const interval = (call: (...args: unknown[]) => void, ms?: number, ...args: unknown[]): unknown => {
    const handle = repeat(call, ms, ...args)
    begin(handle, ms)
    return handle
  }
  Object.assign(globalThis, {
    setTimeout: Object.assign(timeout, set),
    setInterval: Object.assign(interval, repeat),
    clearTimeout: (handle?: number) => {
      end(handle)
      clear(handle)
    },
    clearInterval: (handle?: number) => {
      end(handle)
      endRepeat(handle)
    },
  })
  return {
    left: () =>
      [...running]
        .filter(([handle, { ms }]) => ms > LONG_MS && keepsAlive(handle))
        .map(([, { ms, place }]) => `a timer of ${Math.round(ms)} ms ${place}`),
    forget: () => running.clear(),
  }
}

function keepsAlive(handle: unknown): boolean {
  const { hasRef } = Object(handle) as { hasRef?: () => boolean }
  return hasRef?.call(handle) !== false
}
