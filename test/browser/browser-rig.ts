import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { RequestListener, Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join, parse } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { chromium } from 'playwright-core'
import type { BrowserContext, Page } from 'playwright-core'
import { BROWSER_PLUGINS } from '../../packing/browser-bundle.ts'
import type { BundlePart } from '../../packing/one-first-load.ts'
import { testBrowser } from './test-browser.ts'

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-dev-shm-usage',
  '--allow-loopback-in-peer-connection',
  // Chromium has to accept a certificate that a test made.
  '--ignore-certificate-errors',
  // WebRTC shows a machine's loopback addresses only to pages that may use the microphone.
  '--use-fake-ui-for-media-stream',
  '--use-fake-device-for-media-stream',
]

/** How long the browser may take to start, load a page or show something, on a busy machine. */
const ANSWER_MAX_MS = 120_000

/**
 * One of the scripts in `pages`, or another one, bundled for a browser like the published build. The first part is the
 * page's script.
 */
export async function bundlePage(script: string | URL): Promise<BundlePart[]> {
  const entry = fileURLToPath(new URL(typeof script === 'string' ? `pages/${script}.ts` : script, import.meta.url))
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2024',
    splitting: true,
    outdir: '/',
    write: false,
    plugins: BROWSER_PLUGINS,
    logLevel: 'error',
  })
  const parts = outputFiles.map(({ path, text }) => ({ name: path.slice(1), text }))
  // The page runs the first one, and esbuild does not put the entry first.
  const isEntry = ({ name }: BundlePart): boolean => name === `${parse(entry).name}.js`
  return [...parts.filter(isEntry), ...parts.filter((part) => !isEntry(part))]
}

/** A web server on loopback with one page that runs one script. */
export interface Site {
  readonly url: string
  /** The largest n of all requests for `/acknowledged/n`; -1 before the first. */
  readonly acknowledged: number
  close(): Promise<void>
}

export interface SiteOptions {
  readonly headers?: Readonly<Record<string, string>>
  /** Serves it over https. */
  readonly tls?: { readonly cert: string; readonly key: string }
}

export async function serveSite(script: readonly BundlePart[], { headers = {}, tls }: SiteOptions = {}): Promise<Site> {
  let acknowledged = -1
  const page = `<!doctype html><title>peer</title><script type="module" src="/${script[0]!.name}"></script>`
  const answer: RequestListener = (request, response) => {
    const [, count] = /^\/acknowledged\/(\d+)$/.exec(request.url ?? '') ?? []
    if (count !== undefined) acknowledged = Math.max(acknowledged, Number(count))
    const part = script.find(({ name }) => request.url?.split('?')[0] === `/${name}`)
    response.writeHead(200, { ...headers, 'content-type': part === undefined ? 'text/html' : 'text/javascript' })
    response.end(part?.text ?? page)
  }
  const server = tls === undefined ? createServer(answer) : createSecureServer(tls, answer)
  const url = `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${await listening(server)}/`
  return {
    url,
    get acknowledged() {
      return acknowledged
    },
    close: () => closed(server),
  }
}

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

async function closed(server: Server): Promise<void> {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
}

/** A Chromium whose profile survives `restart`. */
export class Chromium {
  readonly #profile: string
  #context: BrowserContext

  static async start(): Promise<Chromium> {
    const profile = await mkdtemp(join(tmpdir(), 'gossipgrid-chromium-'))
    return new Chromium(profile, await launch(profile))
  }

  private constructor(profile: string, context: BrowserContext) {
    this.#profile = profile
    this.#context = context
  }

  get context(): BrowserContext {
    return this.#context
  }

  /** A tab at `url`. Its script has run when this resolves. */
  async tab(url: string): Promise<Page> {
    const page = await this.#context.newPage()
    await page.goto(url)
    return page
  }

  /** Kills the whole browser and starts it again with the same profile. */
  async kill(): Promise<void> {
    const devtools = await this.#context.newCDPSession(this.#context.pages()[0]!)
    const gone = new Promise((resolve) => this.#context.once('close', resolve))
    devtools.send('Browser.crash').catch(() => undefined)
    await gone
    for (const lock of ['SingletonLock', 'SingletonSocket', 'SingletonCookie']) {
      await rm(join(this.#profile, lock), { force: true })
    }
    this.#context = await launch(this.#profile)
  }

  async close(): Promise<void> {
    await this.#context.close()
    await rm(this.#profile, { recursive: true, force: true })
  }
}

async function launch(profile: string): Promise<BrowserContext> {
  const { executablePath, environment } = await testBrowser()
  const settings = { env: { ...process.env, ...environment }, args: FLAGS, timeout: ANSWER_MAX_MS }
  const context = await chromium.launchPersistentContext(
    profile,
    executablePath === undefined ? settings : { ...settings, executablePath },
  )
  context.setDefaultTimeout(ANSWER_MAX_MS)
  return context
}
