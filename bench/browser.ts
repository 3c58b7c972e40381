import { setTimeout as delay } from 'node:timers/promises'
import type { Page } from 'playwright-core'
import { openGrid } from 'gossipgrid'
import type { Grid, OpenGridOptions } from 'gossipgrid'
import { Chromium, bundlePage, serveSite } from '../test/browser/browser-rig.ts'
import type { Site } from '../test/browser/browser-rig.ts'
import type { Bench, Figures } from './bench.ts'
import { benchLogger } from './bench-logger.ts'
import type { BenchPage } from './browser-page.ts'
import { percentile } from './medians.ts'
import { keyOf, valueOf } from './sample.ts'

declare const bench: BenchPage

const SINGLES = 200
const SINGLE_GAP_MS = 20
const ENTRIES = 100_000
const MET_MAX_MS = 30_000

interface Rig {
  readonly browser: Chromium
  /** Tabs of two sites: only WebRTC connects them. */
  readonly sites: readonly [Site, Site]
  readonly progress: (line: string) => void
}

/** Tabs in a Chromium: how fast they receive each other's writes, and how fast they load a large map. */
export const browser: Bench = {
  name: 'browser',
  summary: 'tabs: latency to a tab over WebRTC and to a process, joining and opening 100,000 entries',
  runsDefault: 3,
  run: async (progress) => {
    const script = await bundlePage(new URL('browser-page.ts', import.meta.url))
    const sites = [await serveSite(script), await serveSite(script)] as const
    const chromium = await Chromium.start()
    try {
      const rig = { browser: chromium, sites, progress }
      return {
        ...(await latencies(rig, 'Memory', { persist: false })),
        ...(await latencies(rig, 'Stored', {})),
        ...(await holding(rig)),
      }
    } finally {
      await chromium.close()
      for (const site of sites) await site.close()
    }
  },
}

function server(name: string): Promise<Grid> {
  return openGrid({ name, listen: ['/ip4/127.0.0.1/tcp/0/ws'], mdns: false, logger: benchLogger })
}

/** From a tab to a process, and then to another tab after the process has gone. */
async function latencies(rig: Rig, suffix: string, options: Partial<OpenGridOptions>): Promise<Figures> {
  const name = `latency${suffix}`
  const node = await server(name)
  const given = { ...options, name, join: node.addresses }
  const [one] = await opened(rig.sites[0], given, rig)
  await met(one, node.peerId)
  rig.progress(`${SINGLES} writes of a tab, seen by a process (${suffix})`)
  const seenByNode = watch(node, 'node:')
  const toNode = await took(one, 'node:', seenByNode)
  const [other, otherId] = await opened(rig.sites[1], given, rig)
  await met(one, otherId)
  await node.close()
  rig.progress(`${SINGLES} writes of a tab, seen by another (${suffix})`)
  await other.evaluate((count) => bench.watch('tab:', count), SINGLES)
  const toTab = await took(
    one,
    'tab:',
    other.evaluate(() => bench.seen()),
  )
  await Promise.all([one.close(), other.close()])
  return {
    [`tabToTab${suffix}P50Ms`]: percentile(toTab, 0.5),
    [`tabToTab${suffix}P99Ms`]: percentile(toTab, 0.99),
    [`tabToNode${suffix}P50Ms`]: percentile(toNode, 0.5),
    [`tabToNode${suffix}P99Ms`]: percentile(toNode, 0.99),
  }
}

async function opened(site: Site, options: OpenGridOptions, { browser: chromium }: Rig): Promise<[Page, string]> {
  const tab = await chromium.tab(site.url)
  return [tab, await tab.evaluate((given) => bench.open(given), options)]
}

/** From the call of `set` in `writer` to each change being shown elsewhere. */
async function took(writer: Page, prefix: string, seen: Promise<readonly number[]>): Promise<number[]> {
  const called = await writer.evaluate(([begin, count, gapMs]) => bench.singles(begin, count, gapMs), [
    prefix,
    SINGLES,
    SINGLE_GAP_MS,
  ] as const)
  const at = await seen
  return called.map((calledMs, n) => at[n]! - calledMs)
}

async function watch(grid: Grid, prefix: string): Promise<number[]> {
  const seen: number[] = []
  let count = 0
  for await (const { key } of grid.map('users').changes({ prefix })) {
    seen[Number(key.slice(prefix.length))] = performance.timeOrigin + performance.now()
    if (++count === SINGLES) break
  }
  return seen
}

async function met(tab: Page, peerId: string): Promise<void> {
  const deadlineMs = performance.now() + MET_MAX_MS
  while (!(await tab.evaluate(() => bench.connected())).includes(peerId)) {
    if (performance.now() > deadlineMs) throw new Error(`two tabs have not met within ${MET_MAX_MS} ms`)
    await delay(50)
  }
}

/** A tab joins a process that has everything. Then it is loaded again without any other peer. */
async function holding({ browser: chromium, sites, progress }: Rig): Promise<Figures> {
  const name = 'holding'
  const node = await server(name)
  const users = node.map<string>('users')
  await Promise.all(Array.from({ length: ENTRIES }, (_, index) => users.set(keyOf(index), valueOf(index))))
  const tab = await chromium.tab(sites[0].url)
  const hold = (options: OpenGridOptions): ReturnType<BenchPage['hold']> =>
    tab.evaluate(([given, count]) => bench.hold(given, count), [options, ENTRIES] as const)
  progress(`a tab joins ${ENTRIES} entries`)
  const joined = await hold({ name, join: node.addresses })
  await node.close()
  await tab.evaluate(() => bench.close())
  await tab.reload()
  progress(`a tab opens ${ENTRIES} entries`)
  const opened = await hold({ name })
  await tab.close()
  return {
    joinVisibleMs: joined.visibleMs,
    joinStoredMs: joined.storedMs,
    joinLongestBlockMs: joined.longestBlockMs,
    joinLongestTaskMs: joined.longestTaskMs,
    reopenMs: opened.visibleMs,
    reopenLongestBlockMs: opened.longestBlockMs,
  }
}
