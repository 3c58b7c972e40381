import type { Page } from 'playwright-core'
import type { GuestStatus, OpenGridOptions } from 'gossipgrid'
import type { GridPage } from './pages/grid-page.ts'

declare const peer: GridPage

/** The grid of a tab, as a test calls it. */
export class Tab {
  readonly page: Page
  #peerId = ''

  constructor(page: Page) {
    this.page = page
  }

  get peerId(): string {
    return this.#peerId
  }

  async open(options: OpenGridOptions): Promise<this> {
    this.#peerId = await this.page.evaluate((given) => peer.open(given), options)
    return this
  }

  /** Whether the write is durable. */
  set(key: string, value: number): Promise<boolean> {
    return this.page.evaluate(([k, v]) => peer.set(k, v), [key, value] as const)
  }

  get(key: string): Promise<number | undefined> {
    return this.page.evaluate((k) => peer.get(k), key)
  }

  size(): Promise<number> {
    return this.page.evaluate(() => peer.size())
  }

  fingerprint(): Promise<string | undefined> {
    return this.page.evaluate(() => peer.fingerprint())
  }

  addresses(): Promise<readonly string[]> {
    return this.page.evaluate(() => peer.addresses())
  }

  connected(): Promise<readonly string[]> {
    return this.page.evaluate(() => peer.connected())
  }

  /** The state of another peer in this tab's membership table. */
  state(peerId: string): Promise<string | undefined> {
    return this.page.evaluate((id) => peer.states()[id], peerId)
  }

  guest(): Promise<GuestStatus | undefined> {
    return this.page.evaluate(() => peer.guest())
  }

  storage(): Promise<{ readonly persistent: boolean; readonly error: string }> {
    return this.page.evaluate(() => peer.storage())
  }

  /** Types at the end of a document. Resolves to its text when that is stored. */
  type(name: string, text: string): Promise<string> {
    return this.page.evaluate(([document, typed]) => peer.type(document, typed), [name, text] as const)
  }

  /** The text of a document. */
  read(name: string): Promise<string> {
    return this.page.evaluate((document) => peer.read(document), name)
  }

  say(text: string): Promise<void> {
    return this.page.evaluate((said) => peer.say(said), text)
  }

  drop(): Promise<boolean> {
    return this.page.evaluate(() => peer.drop())
  }

  close(): Promise<void> {
    return this.page.evaluate(() => peer.close())
  }

  /** Starts to write numbers from `first` on without end. */
  writeOn(first: number): void {
    this.page.evaluate((from) => peer.writeOn(from), first).catch(() => undefined)
  }

  /** As if the user had switched to another tab, or back to this one. */
  async show(visible: boolean): Promise<void> {
    await this.page.evaluate(
      (state) => {
        Object.defineProperty(document, 'visibilityState', { value: state, configurable: true })
        document.dispatchEvent(new Event('visibilitychange'))
      },
      visible ? 'visible' : 'hidden',
    )
  }
}
