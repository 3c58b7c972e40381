import { createServer } from 'node:http'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import type { Grid } from 'gossipgrid'
import { GridError } from 'gossipgrid'
import { isLoopback } from './loopback.ts'
import { metricsRoutes } from './metrics-routes.ts'

/** How long closing waits for answers under way. */
const CLOSE_MAX_MS = 1000
const CONNECTIONS_MAX = 64
/** How long a request may take to arrive, in milliseconds. */
const REQUEST_MAX_MS = 5000

/** Serves `/metrics`, `/healthz` and `/readyz` of one peer. */
export interface MetricsServer {
  /** For example `http://127.0.0.1:9464`. */
  readonly url: string
  close(): Promise<void>
}

/**
 * Serves a peer's report over HTTP: `/metrics` for Prometheus, `/healthz` and `/readyz` for the service that starts and
 * stops it. Port 0 takes any free port. Rejects with `NETWORK_PORT_TAKEN` or `NETWORK_START_FAILED`.
 */
export async function serveMetrics(
  grid: Grid,
  options: { readonly host: string; readonly port: number },
): Promise<MetricsServer> {
  const routes = metricsRoutes(grid, { checkHost: isLoopback(options.host) })
  const answer = getRequestListener(routes.fetch, { overrideGlobalObjects: false })
  const server = createServer({
    requestTimeout: REQUEST_MAX_MS,
    headersTimeout: REQUEST_MAX_MS,
    connectionsCheckingInterval: 1000,
  })
  server.on('request', (request, response) => {
    // One request per connection: Bun answers all requests that arrived together before it does anything else, and each
    // takes milliseconds.
    response.setHeader('Connection', 'close')
    void answer(request, response)
  })
  server.maxConnections = CONNECTIONS_MAX
  // A server emits an error when it cannot accept a connection, for example without file descriptors, and continues.
  server.on('error', () => undefined)
  await listen(server, options)
  // The server must not keep a program alive whose grid has closed.
  server.unref()
  const { port } = server.address() as AddressInfo
  return {
    url: `http://${options.host.includes(':') ? `[${options.host}]` : options.host}:${port}`,
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeIdleConnections()
      const patience = setTimeout(() => server.closeAllConnections(), CLOSE_MAX_MS)
      await closed
      clearTimeout(patience)
    },
  }
}

async function listen(server: Server, { host, port }: { host: string; port: number }): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject)
  server.listen({ host, port }, resolve)
  try {
    await promise
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : ''
    if (code === 'EADDRINUSE') {
      const message = `metrics cannot be served on ${host}:${port}: the port is taken. Choose another, or 0 for a free one`
      throw new GridError('NETWORK_PORT_TAKEN', message, { cause })
    }
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new GridError('NETWORK_START_FAILED', `metrics cannot be served on ${host}:${port}: ${why}`, { cause })
  }
}
