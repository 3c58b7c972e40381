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
/** Taken if it is free, so that a browser knows the address again. */
const PORT = 7400

/** The pages of the demo, which join its grid. */
export interface PageServer {
  readonly url: string
  close(): Promise<void>
}

/** Serves the pages, and tells them whom to join by; undefined where they have not been built. */
export async function servePages(cluster: Cluster): Promise<PageServer | undefined> {
  if (!existsSync(`${PAGES}/index.html`)) return undefined
  const routes = new Hono()
  routes.get('/grid.json', (context) => {
    context.header('cache-control', 'no-store')
    // The grid ends with the demo, so there is nothing to be kept in a browser.
    return context.json({ name: cluster.name, join: cluster.pageAddresses, persist: false })
  })
  routes.use('/*', serveStatic({ root: PAGES }))
  const server = createAdaptorServer({ fetch: routes.fetch, overrideGlobalObjects: false }) as Server
  server.maxConnections = CONNECTIONS_MAX
  // A server says by it that one connection could not be taken, for example for want of file descriptors, and goes on.
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
