import { openGrid } from 'gossipgrid'
import type { Grid, GridMap, OpenGridOptions } from 'gossipgrid'

/** Milliseconds since 1970, on the clock that all tabs and processes of a machine share. */
type SharedMs = number

/** How a tab received the map that it joined, or loaded it again. */
export interface Holding {
  /** From the call of `openGrid` until every entry could be read. */
  readonly visibleMs: number
  /** From the same call until every entry was in IndexedDB. */
  readonly storedMs: number
  /** The longest wait of a timer of the page, for one task or for several in a row. */
  readonly longestBlockMs: number
  /** The longest task of the page's main thread above 50 ms; 0 when there was none. */
  readonly longestTaskMs: number
}

/** The calls that a tab answers for the bench. */
export interface BenchPage {
  open(options: OpenGridOptions): Promise<string>
  connected(): readonly string[]
  /** The time of each write, one every `gapMs`. */
  singles(prefix: string, count: number, gapMs: number): Promise<SharedMs[]>
  watch(prefix: string, count: number): void
  /** The times at which `changes()` showed the watched writes. */
  seen(): Promise<SharedMs[]>
  hold(options: OpenGridOptions, count: number): Promise<Holding>
  close(): Promise<void>
}

/** A value that encodes to 100 bytes. */
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

/** Sends a message from the page to itself, over and over. The time of one message shows how long the page was busy. */
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
