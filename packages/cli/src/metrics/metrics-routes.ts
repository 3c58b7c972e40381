import type { Grid, GridMetrics } from 'gossipgrid'
import { VERSION } from 'gossipgrid'
import { Hono } from 'hono'
import { namesLoopback } from './loopback.ts'
import { MetricsRegistry } from './metrics-registry.ts'

/** Requests that are answered at the same time. */
const REQUESTS_MAX = 8

/** The answer of `/readyz`. */
interface Readiness {
  readonly ready: boolean
  /** Why the peer is not ready. */
  readonly reasons: readonly string[]
}

/** `/metrics`, `/healthz` and `/readyz`; `checkHost`: only for requests that name this machine. */
export function metricsRoutes(grid: Grid, { checkHost }: { readonly checkHost: boolean }): Hono {
  const registry = new MetricsRegistry(grid)
  const routes = new Hono()
  let closed = false
  let requests = 0
  grid.on('close', () => (closed = true))

  routes.use(async (context, next) => {
    if (checkHost && !namesLoopback(context.req.header('host'))) {
      return context.text('this Host is not served: call it localhost, 127.0.0.1 or [::1]\n', 403)
    }
    if (context.req.method !== 'GET' && context.req.method !== 'HEAD') {
      return context.text('only GET and HEAD\n', 405, { Allow: 'GET, HEAD' })
    }
    if (requests >= REQUESTS_MAX) return context.text('too many requests at once\n', 503, { 'Retry-After': '1' })
    requests += 1
    try {
      await next()
    } finally {
      requests -= 1
    }
    context.header('Cache-Control', 'no-store')
    return undefined
  })
  routes.get('/metrics', async (context) =>
    context.body(await registry.text(), 200, { 'Content-Type': registry.contentType }),
  )
  routes.get('/healthz', (context) => context.json(health(grid, closed)))
  routes.get('/readyz', (context) => {
    const readiness = closed ? { ready: false, reasons: ['the peer is closed'] } : readinessOf(grid.metrics())
    return context.json(readiness, readiness.ready ? 200 : 503)
  })
  routes.notFound((context) => context.text('there is /metrics, /healthz and /readyz\n', 404))
  return routes
}

/** Any answer means that the process lives and its event loop runs; the text is for people. */
function health(grid: Grid, closed: boolean): object {
  if (closed) return { status: 'closed', grid: grid.name, version: VERSION }
  const { convergence, peerId, storage, uptimeSeconds } = grid.metrics()
  return {
    status: 'alive',
    grid: grid.name,
    peerId,
    version: VERSION,
    uptimeSeconds: Math.round(uptimeSeconds),
    convergence: convergence.text,
    storage: storage.healthy ? 'healthy' : storage.error,
  }
}

function readinessOf({
  convergence,
  partitions,
  ready,
  storage,
}: GridMetrics): Readiness & { readonly convergence: string } {
  const reasons: string[] = []
  const missing = partitions.owned - partitions.whole
  if (!ready && missing === 0) reasons.push('it has not exchanged everything with another peer since it was opened')
  if (!storage.healthy) reasons.push(`the store refuses writes: ${storage.error}`)
  if (missing > 0) reasons.push(`${missing} of its ${partitions.owned} partitions are not whole yet`)
  return { ready: reasons.length === 0, reasons, convergence: convergence.text }
}
