import { gzipSync } from 'node:zlib'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openGrid } from 'gossipgrid'
import type { Grid } from 'gossipgrid'
import { browserBundle } from '../../packing/browser-bundle.ts'
import type { BundlePart } from '../../packing/one-first-load.ts'
import { Chromium, bundlePage, serveSite } from './browser-rig.ts'
import type { GridPage } from './pages/grid-page.ts'
import { Tab } from './tab.ts'

/**
 * Bytes of gzip: what a tab loads before it is open and connected to its first server, and what the first document
 * adds.
 */
const FIRST_MAX_BYTES = 195_000
const DOCUMENTS_MAX_BYTES = 35_000

let parts: BundlePart[]

beforeAll(async () => {
  parts = await browserBundle([])
})

function gzipBytes(among: readonly BundlePart[]): number {
  return among.reduce((sum, { text }) => sum + gzipSync(text, { level: 9 }).length, 0)
}

/** The files that a part imports before it runs. */
function loadedWith(part: BundlePart, seen: Set<BundlePart> = new Set()): Set<BundlePart> {
  seen.add(part)
  for (const [, name] of part.text.matchAll(/(?:from|import)"\.{1,2}\/([\w.-]+)"/g)) {
    const next = parts.find((candidate) => candidate.name === name)
    if (next !== undefined && !seen.has(next)) loadedWith(next, seen)
  }
  return seen
}

function part(name: RegExp): BundlePart {
  return parts.find((candidate) => name.test(candidate.name))!
}

it('what a tab loads first stays within its budget, and so does what documents add', () => {
  const first = loadedWith(part(/^index\.js$/))
  const documents = [...loadedWith(part(/^open-documents-/))].filter((each) => !first.has(each))
  for (const each of parts) {
    const when = first.has(each) ? 'first' : documents.includes(each) ? 'with the first document' : 'when it is needed'
    console.log(`${each.name}: ${gzipBytes([each])} bytes, ${when}`)
  }
  console.log(`first: ${gzipBytes([...first])} bytes, documents: ${gzipBytes(documents)} bytes`)
  expect(gzipBytes([...first])).toBeLessThanOrEqual(FIRST_MAX_BYTES)
  expect(gzipBytes(documents)).toBeLessThanOrEqual(DOCUMENTS_MAX_BYTES)
})

it('WebRTC, gossip, yjs, the fast cipher and what only the spare curve needs are not loaded first', () => {
  const later = parts.filter((each) => !loadedWith(part(/^index\.js$/)).has(each)).map(({ text }) => text)
  const first = [...loadedWith(part(/^index\.js$/))].map(({ text }) => text).join('')
  const sha512 = '0x428a2f98d728ae22'
  for (const sign of ['RTCPeerConnection', '/floodsub/1.0.0', 'Yjs was already imported', 'WebAssembly', sha512]) {
    expect(later.some((text) => text.includes(sign))).toBe(true)
    expect(first.includes(sign)).toBe(false)
  }
})

it('nothing in it needs Node or generates code from text', () => {
  for (const { text } of parts) {
    expect(text).not.toMatch(/from"node:|require\("/)
    expect(text).not.toMatch(/\beval\(/)
  }
})

it('an import of an address that is known only later is left alone by bundlers', () => {
  const texts = parts.map(({ text }) => text).join('')
  const imports = [...texts.matchAll(/\bimport\((?!["`])(.{38})/g)].map(([, words]) => words)
  expect(imports).toEqual(['/*@vite-ignore*//*webpackIgnore:true*/'])
})

it('a published build leaves yjs to the application', async () => {
  const [published, own] = [await browserBundle(), parts].map((all) => all.map(({ text }) => text).join(''))
  expect(published).toMatch(/from"yjs"/)
  expect(own).not.toMatch(/from"yjs"/)
})

describe('in a browser that lacks something', () => {
  let browser: Chromium
  let server: Grid

  beforeAll(async () => {
    browser = await Chromium.start()
    server = await openGrid({ name: 'less', listen: ['/ip4/127.0.0.1/tcp/0/ws'], mdns: false })
  })

  afterAll(() => Promise.all([browser?.close(), server?.close()]))

  async function expectToWork(page: Page): Promise<void> {
    const tab = await new Tab(page).open({ name: 'less', join: server.addresses })
    await tab.set(tab.peerId, 1)
    await expect.poll(() => server.map('numbers').get(tab.peerId)).toBe(1)
  }

  it('a tab works under a policy that allows no eval and no WebAssembly', async () => {
    const site = await serveSite(await bundlePage('grid-page'), {
      headers: {
        'content-security-policy': "default-src 'none'; script-src 'self'; connect-src 'self' ws://127.0.0.1:*",
      },
    })
    const page = await browser.tab(site.url)
    await expectToWork(page)
    // The code of queries is loaded with the first one.
    const asked = await page.evaluate(() => (globalThis as unknown as { peer: GridPage }).peer.ask('FR'))
    expect(asked).toEqual({ index: ['country', 'people'], found: ['lyon', 'nice'], live: ['lyon', 'nice'] })
    await site.close()
  })

  it('a tab whose browser cannot sign makes its signatures itself', async () => {
    const site = await serveSite(await bundlePage('grid-page'))
    await browser.context.addInitScript(() => {
      const { generateKey } = SubtleCrypto.prototype
      SubtleCrypto.prototype.generateKey = function (this: SubtleCrypto, ...given: unknown[]) {
        const [{ name }] = given as [{ name: string }]
        if (name === 'Ed25519') return Promise.reject(new DOMException('unknown', 'NotSupportedError'))
        return Reflect.apply(generateKey, this, given)
      } as never
    })
    await expectToWork(await browser.tab(site.url))
    await site.close()
  })
})
