import { readFile } from 'node:fs/promises'
import { Registry, collectDefaultMetrics } from 'prom-client'
import { describe, expect, it } from 'vitest'
import { METRICS } from './metric-definitions.ts'

const page = await readFile(new URL('../../../../docs/observability.md', import.meta.url), 'utf8')
const dashboard = JSON.parse(
  await readFile(new URL('../../../../deploy/grafana-dashboard.json', import.meta.url), 'utf8'),
) as Dashboard

interface Dashboard {
  readonly schemaVersion: number
  readonly templating: { readonly list: readonly { readonly name: string; readonly type: string }[] }
  readonly panels: readonly Panel[]
}

interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly gridPos: { readonly h: number; readonly w: number; readonly x: number; readonly y: number }
  readonly datasource?: { readonly uid: string }
  readonly targets?: readonly { readonly expr: string }[]
}

const registry = new Registry()
collectDefaultMetrics({ register: registry })
const ofProcess = registry.getMetricsAsArray().map(({ name }) => name)
const byName = new Map(METRICS.map((metric) => [metric.name, metric]))

/** The names of metrics in a query. */
function namesIn(query: string): string[] {
  return query.match(/\b(gossipgrid|process|nodejs)_\w+/g) ?? []
}

/** The error in a query's use of a metric; '' when there is none. */
function misuse(query: string, name: string): string {
  if (ofProcess.includes(name)) return ''
  const histogram = byName.get(name.replace(/_(bucket|sum|count)$/, ''))
  const metric = byName.get(name) ?? (histogram?.type === 'histogram' ? histogram : undefined)
  if (metric === undefined) return `${name} is not served`
  if (metric.type === 'histogram' && metric.name === name) return `${name} has only _bucket, _sum and _count`
  const rated = new RegExp(String.raw`\b(rate|increase)\(${name}\b`).test(query)
  if (metric.type === 'gauge' && rated) return `${name} is a gauge, and has no rate`
  if (metric.type !== 'gauge' && !rated) return `${name} only grows: what counts is its rate`
  for (const [, label] of query.matchAll(/by \(([^)]*)\)/g)) {
    const known = new Set([...METRICS.flatMap((each) => each.labels), 'grid', 'peer', 'le'])
    for (const each of label!.split(', ')) if (!known.has(each)) return `no metric has the label ${each}`
  }
  return ''
}

describe('metrics', () => {
  it('have valid Prometheus names', () => {
    expect(byName.size).toBe(METRICS.length)
    for (const { name, type, help, labels } of METRICS) {
      expect(name).toMatch(/^gossipgrid_[a-z]+(_[a-z]+)*$/)
      expect(name.endsWith('_total'), name).toBe(type === 'counter')
      if (type === 'histogram') expect(name).toMatch(/_seconds$/)
      expect(name).not.toMatch(/_(ms|millis|kb|mb|bucket|sum|count)(_|$)/)
      expect(help, name).toMatch(/^[A-Z0-9].*\.$/)
      for (const label of labels) expect(label).toMatch(/^[a-z]+$/)
    }
  })

  it('are all on the page, each with its type and labels, and no others', () => {
    const rows = [...page.matchAll(/^\| `(gossipgrid_\w+)` \| (\w+) \| (.*?) ?\| (.+?) \|/gm)]
    const described = rows.map(([, name, type, labels]) => ({
      name,
      type,
      labels: [...labels!.matchAll(/`(\w+)`/g)].map((match) => match[1]),
    }))
    const served = METRICS.map(({ name, type, labels }) => ({ name, type, labels }))
    expect(described).toHaveLength(served.length)
    for (const metric of served) expect(described).toContainEqual(metric)
  })

  it('that the page mentions exist, in alerts as well', () => {
    const known = new Set(METRICS.map(({ name }) => name))
    const spoken = namesIn(page).filter((name) => name.startsWith('gossipgrid_'))
    const unknown = spoken.filter((name) => !known.has(name) && !known.has(name.replace(/_bucket$/, '')))
    expect(unknown).toEqual([])
    const alerts = [...page.matchAll(/expr: (.*)/g)].map((match) => match[1]!)
    expect(alerts.length).toBeGreaterThan(5)
    expect(alerts.flatMap((query) => namesIn(query).map((name) => misuse(query, name))).filter(Boolean)).toEqual([])
  })
})

describe('the dashboard', () => {
  const panels = dashboard.panels.filter(({ type }) => type !== 'row')
  const queries = panels.flatMap(({ targets }) => targets!.map(({ expr }) => expr))

  it('has a schema that Grafana 10 reads, with a choice of data source, grid and peer', () => {
    expect(dashboard.schemaVersion).toBeGreaterThanOrEqual(37)
    expect(dashboard.templating.list.map(({ name }) => name)).toEqual(['datasource', 'grid', 'peer'])
    expect(panels.every(({ datasource }) => datasource?.uid === '${datasource}')).toBe(true)
    const rows = dashboard.panels.filter(({ type }) => type === 'row').map(({ title }) => title)
    expect(rows).toEqual(['Convergence', 'Writes', 'Latency', 'Network', 'Storage', 'Quarantine', 'Runtime'])
  })

  it('queries only metrics that are served, and each as its type allows', () => {
    expect(queries.flatMap((query) => namesIn(query).map((name) => misuse(query, name))).filter(Boolean)).toEqual([])
    expect(queries.filter((query) => namesIn(query).length === 0)).toEqual([])
  })

  it('queries only the chosen grids and peers', () => {
    expect(queries.filter((query) => !query.includes('grid=~"$grid",peer=~"$peer"'))).toEqual([])
  })

  it('has panels that do not overlap', () => {
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length)
    const cells = dashboard.panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, i) => `${x + (i % w)} ${y + Math.floor(i / w)}`),
    )
    expect(new Set(cells).size).toBe(cells.length)
    expect(dashboard.panels.every(({ gridPos: { x, w } }) => x + w <= 24)).toBe(true)
  })
})
