import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it, onTestFinished } from 'vitest'
import { GOLDEN, placed } from '@gossipgrid/testing/placement-vectors'
import type { Placed } from '@gossipgrid/testing/placement-vectors'
import { Chromium, bundlePage, serveSite } from '../browser/browser-rig.ts'
import { RUNTIMES, runtimeCommand } from './runtime.ts'

const TRIAL = fileURLToPath(new URL('placement-trial.ts', import.meta.url))
const run = promisify(execFile)

describe('keys and partitions belong where the golden vectors say', () => {
  it('here', () => {
    expect(placed()).toEqual(GOLDEN)
  })

  it.each(RUNTIMES)('on %s', async (runtime) => {
    const [binary, ...flags] = runtimeCommand(runtime)
    const { stdout } = await run(binary, [...flags, TRIAL], { timeout: 60_000 })
    expect(JSON.parse(stdout)).toEqual(GOLDEN)
  })

  it('in Chromium', async () => {
    const site = await serveSite(await bundlePage('placement-page'))
    onTestFinished(() => site.close())
    const browser = await Chromium.start()
    onTestFinished(() => browser.close())
    const page = await browser.tab(site.url)
    const found = await page.evaluate(() => (globalThis as unknown as { placed(): Placed }).placed())
    expect(found).toEqual(GOLDEN)
  })
})
