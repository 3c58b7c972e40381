import type { AddressInfo } from 'node:net'
import { createServer } from 'vite'
import type { Plugin } from 'vite'
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
}

/** The example apps, served to browsers, and the server peer that their tabs meet at. */
export interface AppServer {
  /** Where the apps are, with a slash at the end. */
  readonly url: string
  readonly grid: Grid
  close(): Promise<void>
}

export async function serveApps({ name, host, port, directory, tls }: AppServerOptions): Promise<AppServer> {
  const grid = await openGrid({
    name,
    listen: [`/ip4/${host}/tcp/0/${tls === undefined ? 'ws' : 'tls/ws'}`],
    mdns: false,
    ...(directory === undefined ? {} : { directory }),
    ...(tls === undefined ? {} : { tls }),
  })
  const stopAnnouncing = announce(grid, { name: 'server', colour: '#7d8597', app: '' })
  const vite = await createServer({
    ...viteOptions,
    server: { host, port, ...(tls === undefined ? {} : { https: tls }) },
    plugins: [joining(() => ({ name, join: grid.addresses }))],
  })
  await vite.listen()
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

/** Tells pages which grid they are to join, and by which addresses. */
function joining(answer: () => object): Plugin {
  return {
    name: 'gossipgrid-joining',
    configureServer: ({ middlewares }) => {
      middlewares.use('/grid.json', (_request, response) => {
        response.setHeader('content-type', 'application/json')
        response.end(JSON.stringify(answer()))
      })
    },
  }
}
