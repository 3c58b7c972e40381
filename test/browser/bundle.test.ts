import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openGrid } from 'gossipgrid'
import { browserBundle } from '../../packing/browser-bundle.ts'
import type { BundlePart } from '../../packing/browser-bundle.ts'
import { Chromium, bundlePage, serveSite } from './browser-rig.ts'
import { Tab } from './tab.ts'

/** All a tab loads before it can open a grid, and each part that it loads when it is needed, gzipped, in units of 1,024 bytes. */
const FIRST_MAX_KIB = 232
const LATER_MAX_KIB = 35

let parts: BundlePart[]

beforeAll(async () => {
  parts = await browserBundle([])
})

function kib(among: readonly BundlePart[]): number {
  return among.reduce((sum, { text }) => sum + gzipSync(text, { level: 9 }).length, 0) / 1024
}

/** What a part imports before it runs. */
function loadedWith(part: BundlePart, seen: Set<BundlePart> = new Set()): Set<BundlePart> {
  seen.add(part)
  for (const [, name] of part.text.matchAll(/(?:from|import)"\.{1,2}\/([\w.-]+)"/g)) {
    const next = parts.find((candidate) => candidate.name === name)
    if (next !== undefined && !seen.has(next)) loadedWith(next, seen)
  }
  return seen
}

it('what a tab loads stays within its budget, and yjs waits for the first document', () => {
  const first = loadedWith(parts.find(({ name }) => name === 'index.js')!)
  const later = parts.filter((part) => !first.has(part))
  for (const part of parts) {
    console.log(`${part.name}: ${kib([part]).toFixed(1)} KiB${first.has(part) ? '' : ', when it is needed'}`)
  }
  console.log(`first: ${kib([...first]).toFixed(1)} KiB, later: ${kib(later).toFixed(1)} KiB`)
  expect(kib([...first])).toBeLessThan(FIRST_MAX_KIB)
  for (const part of later) expect(kib([part])).toBeLessThan(LATER_MAX_KIB)
})

it('nothing in it asks for Node or makes code out of text', () => {
  for (const { text } of parts) {
    expect(text).not.toMatch(/from"node:|require\("/)
    expect(text).not.toMatch(/\beval\(/)
  }
})

it('a published build leaves yjs to the application', async () => {
  const [published, own] = [await browserBundle(), parts].map((all) => all.map(({ text }) => text).join(''))
  expect(published).toMatch(/from"yjs"/)
  expect(own).not.toMatch(/from"yjs"/)
})

it('a tab works under a policy that allows no eval and no WebAssembly', async () => {
  const site = await serveSite(await bundlePage('grid-page'), {
    headers: {
      'content-security-policy': "default-src 'none'; script-src 'self'; connect-src 'self' ws://127.0.0.1:*",
    },
  })
  const browser = await Chromium.start()
  const server = await openGrid({ name: 'policy', listen: ['/ip4/127.0.0.1/tcp/0/ws'], mdns: false })
  afterAll(() => Promise.all([browser.close(), server.close(), site.close()]))
  const tab = await new Tab(await browser.tab(site.url)).open({ name: 'policy', join: server.addresses })
  await tab.set('a', 1)
  await expect.poll(() => server.map('numbers').get('a'), { timeout: 20_000 }).toBe(1)
})
