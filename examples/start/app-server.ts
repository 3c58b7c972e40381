import type { AddressInfo } from 'node:net'
import { createServer, preview } from 'vite'
import type { CommonServerOptions, Plugin, PreviewServer, ViteDevServer } from 'vite'
import { openGrid } from 'gossipgrid'
import type { Grid } from 'gossipgrid'
import { announce } from '../shared/seat.ts'
import { viteOptions } from './vite-options.ts'

export interface AppServerOptions {
  /** The name of the grid that all tabs share. */
  readonly name: string
  /** The IPv4 address to listen on, for pages and for peers. */
  readonly host: string
  /** For pages; 0 takes any that is free. */
  readonly port: number
  /** Where the server peer keeps the grid; left out: in memory. */
  readonly directory?: string | undefined
  /** In PEM, for pages and peers: browsers on other devices ask for it. */
  readonly tls?: { readonly cert: string; readonly key: string } | undefined
  /** A folder of pages that have been built; left out: the sources, and pages follow when they are edited. */
  readonly built?: string | undefined
}

/** The example apps, served to browsers, and the server peer that their tabs meet at. */
export interface AppServer {
  /** Where the apps are, with a slash at the end. */
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
  const vite = await servePages(listening, built, () => ({ name, join: grid.addresses }))
  const { port: taken } = vite.httpServer!.address() as AddressInfo
  return {
    url: `${tls === undefined ? 'http' : 'https'}://${host}:${taken}/`,
    grid,
    close: async () => {
      stopAnnouncing()
      await vite.close()
      await grid.close()
    },
  }
}

async function servePages(
  listening: CommonServerOptions,
  built: string | undefined,
  answer: () => object,
): Promise<PreviewServer | ViteDevServer> {
  const plugins = [joining(answer)]
  if (built !== undefined) {
    return preview({ ...viteOptions, plugins, preview: listening, build: { outDir: built } })
  }
  const server = await createServer({ ...viteOptions, plugins, server: listening })
  return server.listen()
}

/** Tells pages which grid they are to join, and by which addresses. */
function joining(answer: () => object): Plugin {
  const route = ({ middlewares }: Pick<ViteDevServer, 'middlewares'>): void => {
    middlewares.use('/grid.json', (_request, response) => {
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify(answer()))
    })
  }
  return { name: 'gossipgrid-joining', configureServer: route, configurePreviewServer: route }
}
