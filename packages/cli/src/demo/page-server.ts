import { existsSync } from 'node:fs'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { createAdaptorServer } from '@hono/node-server'
import { serveStatic } from '@hono/node-server/serve-static'
import { Hono } from 'hono'
import type { Cluster } from './cluster/cluster.ts'

const PAGES = fileURLToPath(new URL('../../pages/dist/demo', import.meta.url))
/** Browsers open six each. */
const CONNECTIONS_MAX = 256
/** Used if it is free, so that a browser remembers the address. */
const PORT = 7400

/** The pages of the demo, which join its grid. */
export interface PageServer {
  readonly url: string
  close(): Promise<void>
}

/** Serves the pages with the addresses to join by; undefined when they have not been built. */
export async function servePages(cluster: Cluster): Promise<PageServer | undefined> {
  if (!existsSync(`${PAGES}/index.html`)) return undefined
  const routes = new Hono()
  routes.get('/grid.json', (context) => {
    context.header('cache-control', 'no-store')
    // The grid ends with the demo, so the browser need not store anything.
    return context.json({ name: cluster.name, join: cluster.pageAddresses, persist: false })
  })
  routes.use('/*', serveStatic({ root: PAGES }))
  const server = createAdaptorServer({ fetch: routes.fetch, overrideGlobalObjects: false }) as Server
  server.maxConnections = CONNECTIONS_MAX
  // A server emits an error when it cannot accept a connection, for example without file descriptors, and continues.
  server.on('error', () => undefined)
  const port = await listening(server, cluster.host, PORT).catch(() => listening(server, cluster.host, 0))
  return {
    url: `http://${cluster.host === '0.0.0.0' ? '127.0.0.1' : cluster.host}:${port}/`,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function listening(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve((server.address() as AddressInfo).port)
    })
  })
}
