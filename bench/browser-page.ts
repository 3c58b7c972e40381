import { openGrid } from 'gossipgrid'
import type { Grid, GridMap, OpenGridOptions } from 'gossipgrid'

/** Milliseconds since 1970, on the clock that all tabs and processes of a machine share. */
type SharedMs = number

/** How a tab came to hold what it has joined, or what it has opened again. */
export interface Holding {
  /** From the call of `openGrid` until every entry could be read. */
  readonly visibleMs: number
  /** And until every entry was in IndexedDB. */
  readonly storedMs: number
  /** The longest that a timer of the page had to wait, be it for one task or for several in a row. */
  readonly longestBlockMs: number
  /** The longest single task of the page's main thread, of those above 50 ms; else 0. */
  readonly longestTaskMs: number
}

/** What a tab does for the bench. */
export interface BenchPage {
  open(options: OpenGridOptions): Promise<string>
  connected(): readonly string[]
  /** When each write was called, one every `gapMs`. */
  singles(prefix: string, count: number, gapMs: number): Promise<SharedMs[]>
  watch(prefix: string, count: number): void
  /** When each of the writes that are watched was shown by `changes()`. */
  seen(): Promise<SharedMs[]>
  hold(options: OpenGridOptions, count: number): Promise<Holding>
  close(): Promise<void>
}

/** Encodes to 100 bytes. */
const VALUE = 'v'.repeat(98)

let grid: Grid
let watching: Promise<SharedMs[]>

const page: BenchPage = {
  open: async (options) => {
    grid = await openGrid(options)
    return grid.peerId
  },
  connected: () => grid.members.filter(({ connected }) => connected).map(({ peerId }) => peerId),
  singles: async (prefix, count, gapMs) => {
    const called: SharedMs[] = []
    for (let n = 0; n < count; n++) {
      called.push(sharedMs())
      void users().set(`${prefix}${n}`, VALUE)
      await new Promise((resolve) => setTimeout(resolve, gapMs))
    }
    return called
  },
  watch: (prefix, count) => {
    watching = watch(prefix, count)
  },
  seen: () => watching,
  hold: async (options, count) => {
    const blocks = watchBlocks()
    const startMs = performance.now()
    grid = await openGrid(options)
    while (users().size < count) await blocks.beat()
    const visibleMs = performance.now() - startMs
    while (grid.status().backlog.undurableBytes > 0 || grid.status().backlog.sessions > 0) await blocks.beat()
    return { visibleMs, storedMs: performance.now() - startMs, ...blocks.stop() }
  },
  close: () => grid.close(),
}
Object.assign(globalThis, { bench: page })

function users(): GridMap<string> {
  return grid.map<string>('users')
}

function sharedMs(): SharedMs {
  return performance.timeOrigin + performance.now()
}

async function watch(prefix: string, count: number): Promise<SharedMs[]> {
  const seen: SharedMs[] = []
  for await (const { key } of users().changes({ prefix })) {
    seen[Number(key.slice(prefix.length))] = sharedMs()
    if (Object.keys(seen).length === count) break
  }
  return seen
}

interface Blocks {
  /** Resolves with the next beat. */
  beat(): Promise<void>
  stop(): Pick<Holding, 'longestBlockMs' | 'longestTaskMs'>
}

/** A message from the page to itself, over and over: how long one takes is how long something else did not let go. */
function watchBlocks(): Blocks {
  const { port1, port2 } = new MessageChannel()
  let [longestBlockMs, longestTaskMs] = [0, 0]
  const observer = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) longestTaskMs = Math.max(longestTaskMs, duration)
  })
  observer.observe({ entryTypes: ['longtask'] })
  let beatAtMs = performance.now()
  let waiting: (() => void)[] = []
  port2.onmessage = () => {
    const nowMs = performance.now()
    longestBlockMs = Math.max(longestBlockMs, nowMs - beatAtMs)
    beatAtMs = nowMs
    for (const resolve of waiting) resolve()
    waiting = []
    setTimeout(() => port1.postMessage(undefined), 1)
  }
  port1.postMessage(undefined)
  return {
    beat: () => new Promise((resolve) => waiting.push(resolve)),
    stop: () => {
      port1.close()
      observer.disconnect()
      return { longestBlockMs, longestTaskMs }
    },
  }
}
