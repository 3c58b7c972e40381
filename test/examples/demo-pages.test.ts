import { execFile, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Chromium } from '../browser/browser-rig.ts'
import { soon } from './example-tabs.ts'

const BUILD = fileURLToPath(new URL('../../examples/start/build-pages.ts', import.meta.url))
const MAIN = fileURLToPath(new URL('../../packages/cli/src/main.ts', import.meta.url))
const CITIES = 500

let demo: ChildProcess
let browser: Chromium
let url: string

beforeAll(async () => {
  await promisify(execFile)(process.execPath, [BUILD])
  demo = spawn(process.execPath, [MAIN, 'demo', '--cities', String(CITIES)], { stdio: ['ignore', 'pipe', 'ignore'] })
  browser = await Chromium.start()
  url = await firstUrl(demo)
})

afterAll(async () => {
  await browser?.close()
  if (demo?.exitCode === null) demo.kill('SIGKILL')
})

describe('the pages of the demo', () => {
  it('a tab joins the five processes, holds what they hold, and shows all six', async () => {
    const page = await browser.context.newPage()
    await page.goto(url)
    const rows = page.locator('.holdings tbody tr')
    await soon(() => rows.count()).toBe(6)
    await soon(() => page.locator('.verdict').textContent()).toMatch(/^equal to all 5 neighbours/)
    const entries = await rows.evaluateAll((peers) => peers.map((peer) => peer.children[1]!.textContent))
    expect(new Set(entries).size).toBe(1)
    expect(Number(entries[0])).toBeGreaterThanOrEqual(CITIES)
    await soon(() => page.locator('.graph line').count()).toBe(15)
  })

  it('an app in the same grid keeps what it is given at the five', async () => {
    const page = await browser.context.newPage()
    await page.goto(url)
    await page.getByRole('link', { name: /Todo/ }).click()
    await page.getByLabel('New todo').fill('Kept elsewhere')
    await page.getByLabel('New todo').press('Enter')
    await page.getByLabel('Text of Kept elsewhere').waitFor()
    await soon(() => page.locator('.badge-text').textContent()).toMatch(/^\d peers/)
    await page.reload()
    await page.getByLabel('Text of Kept elsewhere').waitFor()
  })

  it('and end with it', async () => {
    demo.kill('SIGINT')
    await once(demo, 'exit')
    await expect(fetch(url)).rejects.toThrow('fetch failed')
  })
})

async function firstUrl({ stdout }: ChildProcess): Promise<string> {
  for await (const line of createInterface({ input: stdout! })) {
    const told = /^ *(http:\S+)$/.exec(line)?.[1]
    if (told === undefined) continue
    // What it says from now on is nobody's business, and must not fill the pipe.
    stdout!.resume()
    return told
  }
  throw new Error('the demo ended without serving its pages')
}
