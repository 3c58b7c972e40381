import type { Grid, GridMetrics, HistogramSnapshot } from 'gossipgrid'
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client'
import { METRICS } from './metric-definitions.ts'
import type { Labels, MetricDefinition, Sample } from './metric-definition.ts'

type HistogramValues = Awaited<ReturnType<Histogram['get']>>

/** The counters of a grid for Prometheus. One scrape is one snapshot. */
export class MetricsRegistry {
  readonly #grid: Grid
  readonly #registry: Registry = new Registry()
  #snapshot: GridMetrics

  constructor(grid: Grid) {
    this.#grid = grid
    this.#snapshot = grid.metrics()
    this.#registry.setDefaultLabels({ grid: grid.name, peer: grid.peerId })
    for (const definition of METRICS) this.#add(definition)
    collectDefaultMetrics({ register: this.#registry })
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  /** The exposition of this moment. */
  text(): Promise<string> {
    this.#snapshot = this.#grid.metrics()
    return this.#registry.metrics()
  }

  #add(definition: MetricDefinition): void {
    const { type, name, help, labels } = definition
    const options = { name, help, labelNames: [...labels], registers: [this.#registry] }
    const snapshot = (): GridMetrics => this.#snapshot
    if (type === 'histogram') {
      // The registry calls it.
      void new SnapshotHistogram(options, () => definition.read(snapshot()))
      return
    }
    if (type === 'gauge') {
      const gauge = new Gauge({
        ...options,
        collect: () => {
          gauge.reset()
          for (const sample of definition.read(snapshot())) gauge.set(sample.labels, sample.value)
        },
      })
      return
    }
    const counter = new Counter({
      ...options,
      collect: () => {
        counter.reset()
        for (const sample of definition.read(snapshot())) counter.inc(sample.labels, sample.value)
      },
    })
  }
}

/** A histogram with buckets that the grid has counted: prom-client has no way to set them. */
class SnapshotHistogram extends Histogram {
  readonly #name: string
  readonly #help: string
  readonly #read: () => readonly Sample<HistogramSnapshot>[]

  constructor(
    options: { name: string; help: string; labelNames: string[]; registers: Registry[] },
    read: () => readonly Sample<HistogramSnapshot>[],
  ) {
    super(options)
    this.#name = options.name
    this.#help = options.help
    this.#read = read
  }

  override async get(): Promise<HistogramValues> {
    const values = this.#read().flatMap(({ labels, value }) => this.#series(labels, value))
    const described: unknown = { name: this.#name, help: this.#help, type: 'histogram', values, aggregator: 'sum' }
    return described as HistogramValues
  }

  /** The registry prefers this form, in which buckets share their labels. */
  getForPromString(): Promise<HistogramValues> {
    return this.get()
  }

  #series(labels: Labels, { bounds, counts, count, sum }: HistogramSnapshot): HistogramValues['values'] {
    const name = this.#name
    const bounded = counts.slice(0, bounds.length)
    let sofar = 0
    const buckets = bounded.map((times, i) => {
      sofar += times
      return { metricName: `${name}_bucket`, labels: { le: String(bounds[i]), ...labels }, value: sofar }
    })
    return [
      ...buckets,
      { metricName: `${name}_bucket`, labels: { le: '+Inf', ...labels }, value: count },
      { metricName: `${name}_sum`, labels, value: sum },
      { metricName: `${name}_count`, labels, value: count },
    ]
  }
}
