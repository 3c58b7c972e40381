import type { Page } from 'playwright-core'
import { Chromium, bundlePage, serveSite } from '../browser/browser-rig.ts'
import type { Site } from '../browser/browser-rig.ts'
import type { MatrixCalls, RemotePeer } from './matrix-calls.ts'

/** A tab of Chromium with `matrix-page.ts` in it. */
export class PeerTab implements RemotePeer {
  readonly name = 'tab'
  readonly #site: Site
  readonly #browser: Chromium
  readonly #page: Page

  static async start(): Promise<PeerTab> {
    const site = await serveSite(await bundlePage('matrix-page'))
    const browser = await Chromium.start()
    return new PeerTab(site, browser, await browser.tab(site.url))
  }

  private constructor(site: Site, browser: Chromium, page: Page) {
    this.#site = site
    this.#browser = browser
    this.#page = page
  }

  ask<Name extends keyof MatrixCalls>(call: Name, ask: MatrixCalls[Name]['ask']): Promise<MatrixCalls[Name]['answer']> {
    return this.#page.evaluate(
      ([name, asked]) => {
        const { matrixPeer } = globalThis as unknown as {
          matrixPeer: Record<string, (ask: unknown) => Promise<unknown>>
        }
        return matrixPeer[name]!(asked)
      },
      [call, ask] as const,
    ) as Promise<MatrixCalls[Name]['answer']>
  }

  async abandon(): Promise<void> {
    await this.#browser.close()
    await this.#site.close()
  }
}
