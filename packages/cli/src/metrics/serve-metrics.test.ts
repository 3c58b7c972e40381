import { once } from 'node:events'
import { request } from 'node:http'
import { connect } from 'node:net'
import { GridError, openGrid } from 'gossipgrid'
import type { Grid, OpenGridOptions } from 'gossipgrid'
import { afterEach, describe, expect, it } from 'vitest'
import { METRICS } from './metric-definitions.ts'
import { serveMetrics } from './serve-metrics.ts'
import type { MetricsServer } from './serve-metrics.ts'
import { readExposition } from './test-exposition.ts'
import type { ExposedMetric } from './test-exposition.ts'

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
const opened: { close(): Promise<void> }[] = []

afterEach(async () => {
  for (const each of opened.splice(0).toReversed()) await each.close()
})

async function open(options: Partial<OpenGridOptions> = {}): Promise<Grid> {
  const grid = await openGrid({
    name: 'metrics "test"\\',
    listen: ['/ip4/127.0.0.1/tcp/0'],
    mdns: false,
    logger: silent,
    ...options,
  })
  opened.push(grid)
  return grid
}

async function serve(grid: Grid, host = '127.0.0.1'): Promise<MetricsServer> {
  const server = await serveMetrics(grid, { host, port: 0 })
  opened.push(server)
  return server
}

async function scrape({ url }: MetricsServer): Promise<Map<string, ExposedMetric>> {
  const answer = await fetch(`${url}/metrics`)
  expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
  return new Map(readExposition(await answer.text()).map((metric) => [metric.name, metric]))
}

/** The value of the series of a metric with these labels. */
function valueOf(metrics: Map<string, ExposedMetric>, name: string, labels: Record<string, string> = {}): number {
  const family = metrics.get(name) ?? metrics.get(name.replace(/_(bucket|sum|count)$/, ''))!
  const found = family.samples.filter(
    (sample) =>
      sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
  )
  if (found.length !== 1) throw new Error(`${found.length} series of ${name} with ${JSON.stringify(labels)}`)
  return found[0]!.value
}

/** A request with any `Host`, which fetch does not allow. */
function ask(url: string, host: string, method = 'GET'): Promise<{ status: number; allow: string | undefined }> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers: { host }, agent: false }, (answer) => {
      answer.resume()
      answer.once('end', () => resolve({ status: answer.statusCode ?? 0, allow: answer.headers.allow }))
    })
    sent.once('error', reject)
    sent.end()
  })
}

describe('/metrics', () => {
  it('has the format of Prometheus, with every metric in it', async () => {
    const grid = await open()
    const server = await serve(grid)
    const metrics = await scrape(server)
    for (const { name, help, type } of METRICS) expect(metrics.get(name)).toMatchObject({ type, help })
    const ours = [...metrics.keys()].filter((name) => name.startsWith('gossipgrid_'))
    expect(ours.toSorted()).toEqual(METRICS.map(({ name }) => name).toSorted())
    expect([...metrics.keys()]).toContain('process_resident_memory_bytes')
    const [sample] = metrics.get('gossipgrid_ready')!.samples
    expect(sample!.labels).toEqual({ grid: 'metrics \\"test\\"\\\\', peer: grid.peerId })
  })

  it('counts the work of two peers, and compares them', async () => {
    const first = await open()
    const second = await open({ join: first.addresses })
    await second.ready()
    const servers = [await serve(first), await serve(second)] as const
    for (let i = 0; i < 20; i++) await first.map<number>('m "1"').set(`key ${i}`, i)
    await first.map('m "1"').delete('key 1')
    const endMs = performance.now() + 60_000
    while (second.metrics().convergence.state !== 'equal' || second.map('m "1"').size < 19) {
      expect(performance.now()).toBeLessThan(endMs)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    const [writer, reader] = [await scrape(servers[0]), await scrape(servers[1])]
    expect(valueOf(writer, 'gossipgrid_writes_total', { operation: 'set' })).toBe(20)
    expect(valueOf(writer, 'gossipgrid_writes_total', { operation: 'delete' })).toBe(1)
    expect(valueOf(writer, 'gossipgrid_set_to_durable_seconds_count')).toBe(21)
    expect(valueOf(reader, 'gossipgrid_convergence', { state: 'equal' })).toBe(1)
    expect(valueOf(reader, 'gossipgrid_convergence', { state: 'behind' })).toBe(0)
    expect(valueOf(reader, 'gossipgrid_neighbours_equal')).toBe(1)
    const there = { neighbour: first.peerId }
    expect(valueOf(reader, 'gossipgrid_replication_behind_writes', there)).toBe(0)
    expect(valueOf(reader, 'gossipgrid_fingerprints_equal', there)).toBe(1)
    expect(valueOf(reader, 'gossipgrid_entries')).toBe(19)
    expect(valueOf(reader, 'gossipgrid_tombstones')).toBe(1)
    const came = { path: 'broadcast', outcome: 'applied' }
    const visible = valueOf(reader, 'gossipgrid_put_to_visible_seconds_count')
    expect(visible).toBe(valueOf(reader, 'gossipgrid_rows_received_total', came))
    expect(valueOf(reader, 'gossipgrid_socket_bytes_total', { direction: 'received' })).toBeGreaterThan(1000)
    expect(valueOf(reader, 'gossipgrid_neighbour_messages_total', { ...there, direction: 'sent' })).toBeGreaterThan(0)
  })

  it('a second scrape shows the new counts, and no more', async () => {
    const grid = await open()
    const server = await serve(grid)
    await grid.map('m').set('k', 1)
    for (const expected of [1, 1]) {
      expect(valueOf(await scrape(server), 'gossipgrid_writes_total', { operation: 'set' })).toBe(expected)
    }
    await grid.map('m').set('k', 2)
    expect(valueOf(await scrape(server), 'gossipgrid_writes_total', { operation: 'set' })).toBe(2)
  })

  it('shows a hundred collections, and how many there are', async () => {
    const grid = await open()
    const server = await serve(grid)
    await Promise.all(Array.from({ length: 120 }, (_, i) => grid.map(`map ${i}`).set('k', i)))
    const metrics = await scrape(server)
    expect(metrics.get('gossipgrid_entries')!.samples.length).toBe(100)
    expect(valueOf(metrics, 'gossipgrid_collections')).toBe(120)
  })
})

describe('/healthz and /readyz', () => {
  it('a peer is alive from the start, and ready once it is alone or has caught up', async () => {
    const grid = await open()
    const { url } = await serve(grid)
    const health = await fetch(`${url}/healthz`)
    expect(health.status).toBe(200)
    expect(await health.json()).toMatchObject({
      status: 'alive',
      peerId: grid.peerId,
      convergence: 'no other peer is connected; nothing is known to be missing',
      storage: 'healthy',
    })
    const early = await fetch(`${url}/readyz`)
    expect(early.status).toBe(503)
    expect(await early.json()).toMatchObject({ ready: false, reasons: [expect.stringContaining('not exchanged')] })
    await grid.ready()
    const late = await fetch(`${url}/readyz`)
    expect(late.status).toBe(200)
    expect(await late.json()).toMatchObject({ ready: true, reasons: [] })
  })

  it('a peer whose store refuses writes is alive and not ready', async () => {
    const failing = {
      persistent: true,
      read: () => Promise.resolve(undefined),
      list: () => Promise.resolve([]),
      write: () => (broken ? Promise.reject(new Error('no space left')) : Promise.resolve()),
      close: () => Promise.resolve(),
    }
    let broken = false
    const grid = await open({ storage: failing })
    await grid.ready()
    const { url } = await serve(grid)
    broken = true
    await expect(grid.map('m').set('k', 1)).rejects.toThrow('could not be stored')
    expect((await fetch(`${url}/healthz`)).status).toBe(200)
    const answer = await fetch(`${url}/readyz`)
    expect(answer.status).toBe(503)
    expect(await answer.json()).toMatchObject({ reasons: ['the store refuses writes: no space left'] })
    broken = false
  })

  it('after the grid has closed nothing is ready', async () => {
    const grid = await open()
    const { url } = await serve(grid)
    await grid.map('m').set('k', 1)
    await grid.close()
    expect((await fetch(`${url}/readyz`)).status).toBe(503)
    // Its last counts can still be fetched.
    expect(await (await fetch(`${url}/metrics`)).text()).toMatch(/^gossipgrid_writes_total{operation="set".*} 1$/m)
    expect(await (await fetch(`${url}/healthz`)).json()).toMatchObject({ status: 'closed' })
  })
})

describe('accepted requests', () => {
  it('on loopback only requests that name this machine: a page elsewhere must not read it', async () => {
    const { url } = await serve(await open())
    const { port } = new URL(url)
    for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, 'localhost', '[::1]', `[::1]:${port}`, '127.1']) {
      expect(await ask(`${url}/healthz`, host), host).toMatchObject({ status: 200 })
    }
    for (const host of ['evil.example', `localhost.evil.example:${port}`, '127.0.0.1.evil.example', '10.0.0.1']) {
      expect(await ask(`${url}/metrics`, host), host).toMatchObject({ status: 403 })
    }
  })

  it('only GET and HEAD, and only three paths', async () => {
    const { url } = await serve(await open())
    expect((await fetch(`${url}/metrics`, { method: 'HEAD' })).status).toBe(200)
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
      expect(await ask(`${url}/metrics`, 'localhost', method)).toEqual({ status: 405, allow: 'GET, HEAD' })
    }
    expect((await fetch(`${url}/`)).status).toBe(404)
  })

  it('one request on each connection, however many arrive at once: they must not keep a peer from its work', async () => {
    const { url } = await serve(await open())
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    const pieces: Buffer[] = []
    socket.on('data', (piece: Buffer) => pieces.push(piece))
    socket.write('GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(300))
    await once(socket, 'close')
    expect(
      Buffer.concat(pieces)
        .toString()
        .match(/^HTTP\/1.1 /gm),
    ).toHaveLength(1)
  })

  it('a request that never ends is closed, so that it cannot take up a connection for ever', async () => {
    const { url } = await serve(await open())
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    socket.write('GET /metrics HTTP/1.1\r\nHost: localhost\r\n')
    const [answer] = (await once(socket, 'data')) as [Buffer]
    expect(answer.toString()).toMatch(/^HTTP\/1.1 408/)
    socket.destroy()
  })

  it('a taken port is reported, with advice', async () => {
    const grid = await open()
    const { url } = await serve(grid)
    const again = serveMetrics(grid, { host: '127.0.0.1', port: Number(new URL(url).port) })
    await expect(again).rejects.toThrow(GridError)
    await expect(again).rejects.toMatchObject({
      code: 'NETWORK_PORT_TAKEN',
      message: expect.stringContaining('Choose another, or 0'),
    })
    await expect(serveMetrics(grid, { host: '192.0.2.1', port: 0 })).rejects.toMatchObject({
      code: 'NETWORK_START_FAILED',
    })
  })
})
