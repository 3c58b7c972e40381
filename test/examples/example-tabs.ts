import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { Chromium } from '../browser/browser-rig.ts'
import { serveApps } from '../../examples/start/app-server.ts'
import type { AppServer } from '../../examples/start/app-server.ts'
import { buildPages } from '../../examples/start/vite-options.ts'

export interface TabOptions {
  readonly visitor?: { readonly name: string; readonly colour: string; readonly cameAtMs: number }
  readonly size?: { readonly width: number; readonly height: number }
  /** Every text of these elements is kept in the page's `seen`, from the start on. */
  readonly record?: readonly string[]
}

/** The example apps with their server, and a browser for them. */
export class ExampleTabs {
  readonly server: AppServer
  readonly #browser: Chromium
  readonly #built: string
  readonly #complaints: string[] = []

  static async start(): Promise<ExampleTabs> {
    const built = await mkdtemp(join(tmpdir(), 'gossipgrid-examples-'))
    await buildPages(built)
    const server = await serveApps({ name: 'examples-under-test', host: '127.0.0.1', port: 0, built })
    return new ExampleTabs(server, await Chromium.start(), built)
  }

  private constructor(server: AppServer, browser: Chromium, built: string) {
    this.#built = built
    this.server = server
    this.#browser = browser
  }

  /** Errors of all tabs. */
  get complaints(): readonly string[] {
    return this.#complaints
  }

  /** A tab of an app that is connected to the grid. */
  async open(app: string, { visitor, size, record }: TabOptions = {}): Promise<Page> {
    const page = await this.#browser.context.newPage()
    if (size !== undefined) await page.setViewportSize(size)
    // A reload must not bring back what the page has changed since.
    const keep = (who: string): void => {
      if (sessionStorage.getItem('visitor') === null) sessionStorage.setItem('visitor', who)
    }
    if (visitor !== undefined) await page.addInitScript(keep, JSON.stringify(visitor))
    if (record !== undefined) await page.addInitScript(keepTexts, record)
    page.on('pageerror', (error) => this.#complaints.push(error.message))
    await page.goto(`${this.server.url}${app}/`)
    await page.locator('.badge[data-state=online]').waitFor()
    return page
  }

  async close(): Promise<void> {
    await this.#browser.close()
    await this.server.close()
    await rm(this.#built, { recursive: true, force: true })
  }
}

/** Runs in the page. */
function keepTexts(selectors: readonly string[]): void {
  const seen = new Set<string>()
  const look = (): void => {
    for (const selector of selectors) {
      for (const { textContent } of document.querySelectorAll(selector)) seen.add(`${selector}: ${textContent}`)
    }
    Object.assign(globalThis, { seen: [...seen] })
  }
  new MutationObserver(look).observe(document, {
    subtree: true,
    childList: true,
    characterData: true,
    attributes: true,
  })
}
