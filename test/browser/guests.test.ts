import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openGrid } from 'gossipgrid'
import type { Grid } from 'gossipgrid'
import { Chromium, bundlePage, serveSite } from './browser-rig.ts'
import type { Site } from './browser-rig.ts'
import { Tab } from './tab.ts'

const SECRET = 'q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA'
const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

let member: Grid
let site: Site
const browsers: Chromium[] = []

beforeAll(async () => {
  member = await openGrid({
    ...{ name: 'shop', secret: SECRET, listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false, logger: silent },
    guests: { listen: ['/ip4/127.0.0.1/tcp/0/ws'] },
  })
  site = await serveSite(await bundlePage('grid-page'))
  browsers.push(await Chromium.start(), await Chromium.start())
})

afterAll(() => Promise.all([...browsers, member, site].map((each) => each?.close())))

function passOf(subject: string): Promise<string> {
  const grants = ['all/', `${subject}/`].flatMap((prefix) => [
    { map: 'numbers', prefix, may: 'write' as const },
    { doc: prefix, may: 'write' as const },
  ])
  return member.issuePass({ subject, expiresInMs: 3_600_000, grants })
}

async function openTab(page: Page, subject: string): Promise<Tab> {
  const join = member.status().guests!.addresses
  return new Tab(page).open({ name: 'shop', pass: await passOf(subject), join })
}

/** All that the page has stored, as text. */
function storedText(page: Page): Promise<string> {
  return page.evaluate(async () => {
    const opened = <Result>(request: IDBRequest<Result>): Promise<Result> =>
      new Promise((resolve, reject) => {
        request.addEventListener('success', () => resolve(request.result))
        request.addEventListener('error', () => reject(request.error!))
      })
    let text = [localStorage, sessionStorage].map((each) => JSON.stringify(Object.entries(each))).join('')
    for (const { name } of await indexedDB.databases()) {
      const database = await opened(indexedDB.open(name!))
      for (const store of database.objectStoreNames) {
        const blobs = await opened(database.transaction(store).objectStore(store).getAll())
        for (const blob of blobs as unknown[])
          text += blob instanceof Uint8Array ? new TextDecoder('latin1').decode(blob) : JSON.stringify(blob)
      }
      database.close()
    }
    return text
  })
}

const answered = async (tab: Tab): Promise<void> => {
  await expect.poll(async () => (await tab.guest())?.waitingWrites, { timeout: 60_000 }).toBe(0)
}

it('two users on two profiles and one member: each sees its own and the shared, offline and back', async () => {
  const [first, second] = await Promise.all(browsers.map((browser) => browser.tab(site.url)))
  const ada = await openTab(first!, 'ada')
  const bob = await openTab(second!, 'bob')
  expect(await ada.set('ada/own', 1)).toBe(true)
  await bob.set('bob/own', 2)
  await ada.set('all/shared', 3)
  await expect.poll(() => bob.get('all/shared'), { timeout: 60_000 }).toBe(3)
  await Promise.all([answered(ada), answered(bob)])
  expect(member.map('numbers').peekEntries()).toEqual([
    ['ada/own', 1],
    ['all/shared', 3],
    ['bob/own', 2],
  ])
  expect([await ada.get('bob/own'), await bob.get('ada/own'), await ada.size()]).toEqual([undefined, undefined, 2])

  const shared = 'all/board'
  await expect.poll(async () => (await ada.guest())?.isCaughtUp, { timeout: 60_000 }).toBe(true)
  expect(await ada.type('ada/note', 'hush')).toBe('hush')
  await bob.type('bob/note', 'mine')
  await ada.type(shared, 'one ')
  await expect.poll(() => bob.read(shared), { timeout: 60_000 }).toBe('one ')
  await expect(ada.read('bob/note')).rejects.toThrow(/the pass does not cover/)

  await first!.context().setOffline(true)
  await first!.evaluate(() => dispatchEvent(new Event('offline')))
  await ada.set('ada/offline', 4)
  await bob.set('all/meanwhile', 5)
  await ada.type(shared, 'offline')
  await bob.type(shared, 'meanwhile ')
  await new Promise((resolve) => setTimeout(resolve, 1000))
  expect(await ada.read(shared)).toBe('one offline')
  expect(await ada.get('ada/offline')).toBe(4)
  expect(await ada.get('all/meanwhile')).toBeUndefined()
  await first!.context().setOffline(false)
  await expect.poll(() => ada.get('all/meanwhile'), { timeout: 120_000 }).toBe(5)
  await answered(ada)
  expect(member.map('numbers').peek('ada/offline')).toBe(4)
  await expect.poll(async () => (await bob.read(shared)).length, { timeout: 60_000 }).toBe(21)
  expect(await ada.read(shared)).toBe(await bob.read(shared))

  const [ofAda, ofBob] = [await storedText(first!), await storedText(second!)]
  expect(ofAda).toMatch(/ada\/own/)
  expect(ofAda).not.toMatch(/bob\/own/)
  expect(ofAda).toMatch(/ada\/note/)
  expect(ofAda).not.toMatch(/bob\/note|mine/)
  expect(ofBob).not.toMatch(/ada\/note|hush/)
  expect(ofBob).toMatch(/bob\/own/)
  expect(ofBob).not.toMatch(/ada\/own/)
  for (const text of [ofAda, ofBob, await first!.content(), await second!.content()]) expect(text).not.toContain(SECRET)
}, 240_000)

it('what a guest has is there after a reload, and is gone for another user of the page', async () => {
  const page = await browsers[0]!.tab(site.url)
  const ada = await openTab(page, 'ada')
  await expect.poll(() => ada.get('ada/own'), { timeout: 60_000 }).toBe(1)
  await ada.close()
  await page.reload()
  const join = ['/ip4/127.0.0.1/tcp/1/ws']
  const again = await new Tab(page).open({ name: 'shop', pass: await passOf('ada'), join })
  expect(await again.get('ada/own')).toBe(1)
  expect((await again.guest())?.state).toBe('offline')
  await again.close()
  await page.reload()
  const bob = await openTab(page, 'bob')
  await expect.poll(async () => (await bob.guest())?.isCaughtUp, { timeout: 60_000 }).toBe(true)
  expect(await bob.get('ada/own')).toBeUndefined()
  expect(await bob.get('bob/own')).toBe(2)
}, 240_000)

it('logging out as the guide says leaves nothing in the browser', async () => {
  const page = await browsers[1]!.tab(site.url)
  const cy = await openTab(page, 'cy')
  await cy.set('cy/own', 1)
  await answered(cy)
  await cy.type('cy/note', 'dear diary')
  await answered(cy)
  expect(await storedText(page)).toMatch(/cy\/own/)
  expect(await storedText(page)).toMatch(/dear diary/)
  await cy.close()
  await page.evaluate(async () => {
    const mine = (await indexedDB.databases()).filter(({ name }) => name!.startsWith('gossipgrid-guest/shop'))
    await Promise.all(
      mine.map(({ name }) => {
        const request = indexedDB.deleteDatabase(name!)
        return new Promise((resolve) => request.addEventListener('success', resolve))
      }),
    )
  })
  const left = await storedText(page)
  expect(left).not.toMatch(/cy\/own|dear diary/)
  expect(await page.evaluate(async () => (await indexedDB.databases()).length)).toBe(0)
}, 240_000)
