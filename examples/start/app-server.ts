import type { AddressInfo } from 'node:net'
import { createServer, preview } from 'vite'
import type { CommonServerOptions, Plugin, PreviewServer, ViteDevServer } from 'vite'
import { openGrid } from 'gossipgrid'
import type { Grid } from 'gossipgrid'
import { announce } from '../shared/seat.ts'
import { ShopServer } from '../shop/shop-server.ts'
import { viteOptions } from './vite-options.ts'

export interface AppServerOptions {
  /** The name of the grid that all tabs share. */
  readonly name: string
  /** The IPv4 address to listen on, for pages and for peers. */
  readonly host: string
  /** For pages; 0 takes any free port. */
  readonly port: number
  /** The directory of the server peer; in memory when left out. */
  readonly directory?: string | undefined
  /** In PEM, for pages and peers: browsers on other devices need it. */
  readonly tls?: { readonly cert: string; readonly key: string } | undefined
  /** A folder of built pages. When left out, the sources are served, and pages update when they are edited. */
  readonly built?: string | undefined
}

/** The example apps, served to browsers, and the server peer that connects their tabs. */
export interface AppServer {
  /** The address of the apps, with a slash at the end. */
  readonly url: string
  readonly grid: Grid
  close(): Promise<void>
}

/** Opens the server peer and serves the pages. */
export async function serveApps({ name, host, port, directory, tls, built }: AppServerOptions): Promise<AppServer> {
  const grid = await openGrid({
    name,
    listen: [`/ip4/${host}/tcp/0/${tls === undefined ? 'ws' : 'tls/ws'}`],
    mdns: false,
    // Another address is for other devices, which know no secret.
    open: !host.startsWith('127.'),
    ...(directory === undefined ? {} : { directory }),
    ...(tls === undefined ? {} : { tls }),
  })
  const stopAnnouncing = announce(grid, { name: 'server', colour: '#7d8597', app: '' })
  const listening = { host, port, ...(tls === undefined ? {} : { https: tls }) }
  const vite = await servePages(
    listening,
    built,
    joining(() => ({ name, join: grid.addresses })),
  )
  return {
    url: urlOf(vite, listening),
    grid,
    close: async () => {
      stopAnnouncing()
      await vite.close()
      await grid.close()
    },
  }
}

/** Opens the shop and serves its pages. */
export async function serveShop({
  host,
  port,
  directory,
  tls,
  built,
}: Omit<AppServerOptions, 'name'>): Promise<AppServer> {
  const shop = await ShopServer.open({ host, directory, tls })
  const listening = { host, port, ...(tls === undefined ? {} : { https: tls }) }
  const vite = await servePages(listening, built, shop.plugin)
  return {
    url: urlOf(vite, listening),
    grid: shop.grid,
    close: async () => {
      await vite.close()
      await shop.close()
    },
  }
}

function urlOf({ httpServer }: PreviewServer | ViteDevServer, { host, https }: CommonServerOptions): string {
  const { port } = httpServer!.address() as AddressInfo
  return `${https === undefined ? 'http' : 'https'}://${String(host)}:${port}/`
}

async function servePages(
  listening: CommonServerOptions,
  built: string | undefined,
  plugin: Plugin,
): Promise<PreviewServer | ViteDevServer> {
  const plugins = [plugin]
  if (built !== undefined) {
    return preview({ ...viteOptions, plugins, preview: listening, build: { outDir: built } })
  }
  const server = await createServer({ ...viteOptions, plugins, server: listening })
  return server.listen()
}

/** Sends pages the name of their grid, and the addresses to join by. */
function joining(answer: () => object): Plugin {
  const route = ({ middlewares }: Pick<ViteDevServer, 'middlewares'>): void => {
    middlewares.use('/grid.json', (_request, response) => {
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify(answer()))
    })
  }
  return { name: 'gossipgrid-joining', configureServer: route, configurePreviewServer: route }
}
