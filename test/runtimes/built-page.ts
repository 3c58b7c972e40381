import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { build, preview } from 'vite'
import type { InlineConfig } from 'vite'

/** Joins by the addresses in its query, says hello, and shows all hellos. */
const PAGE = `import { openGrid } from 'gossipgrid'
const join = new URLSearchParams(location.search).getAll('join')
const grid = await openGrid({ name: 'built', join })
const hellos = grid.map<string>('hellos')
await hellos.set('page', 'hello from the page')
for await (const { value } of hellos.changes({ initial: true })) document.body.append(\`\${value}. \`)
`
const HTML = '<!doctype html><title>hello</title><body><script type="module" src="/page.ts"></script></body>'

/** The hello world of a page, by a user who has installed the packages and builds with Vite. */
export class BuiltPage {
  readonly url: string
  readonly #close: () => Promise<void>

  /** `app` is the folder in which the packages are installed. */
  static async build(app: string): Promise<BuiltPage> {
    await writeFile(join(app, 'page.ts'), PAGE)
    await writeFile(join(app, 'index.html'), HTML)
    const config: InlineConfig = { root: app, configFile: false, logLevel: 'error' }
    await build(config)
    const server = await preview({ ...config, preview: { host: '127.0.0.1', port: 0 } })
    return new BuiltPage(server.resolvedUrls!.local[0]!, () => server.close())
  }

  private constructor(url: string, close: () => Promise<void>) {
    this.url = url
    this.#close = close
  }

  /** The page's address, with addresses to join by. */
  joining(addresses: readonly string[]): string {
    const query = new URLSearchParams(addresses.map((address) => ['join', address]))
    return `${this.url}?${query.toString()}`
  }

  close(): Promise<void> {
    return this.#close()
  }
}
