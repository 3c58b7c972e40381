import type { GridMetrics, HistogramSnapshot } from 'gossipgrid'

export type Labels = Readonly<Record<string, string>>

/** One series of a metric and its value. */
export interface Sample<Value> {
  readonly labels: Labels
  readonly value: Value
}

interface Definition<Type extends string, Value> {
  readonly type: Type
  readonly name: string
  readonly help: string
  readonly labels: readonly string[]
  readonly read: (metrics: GridMetrics) => readonly Sample<Value>[]
}

/** One metric for Prometheus, and how to read it from the grid's counters. */
export type MetricDefinition =
  | Definition<'counter', number>
  | Definition<'gauge', number>
  | Definition<'histogram', HistogramSnapshot>

/** A value, several values by one label, or samples with their own labels; undefined where there is none. */
type Read<Value> = (metrics: GridMetrics) => Value | undefined | readonly Sample<Value>[]

function samplesOf<Value>(read: Read<Value>, metrics: GridMetrics): readonly Sample<Value>[] {
  const found = read(metrics)
  if (found === undefined) return []
  return Array.isArray(found) ? (found as readonly Sample<Value>[]) : [{ labels: {}, value: found as Value }]
}

export function counter(name: string, help: string, read: Read<number>, ...labels: string[]): MetricDefinition {
  return { type: 'counter', name, help, labels, read: (metrics) => samplesOf(read, metrics) }
}

export function gauge(name: string, help: string, read: Read<number>, ...labels: string[]): MetricDefinition {
  return { type: 'gauge', name, help, labels, read: (metrics) => samplesOf(read, metrics) }
}

export function histogram(
  name: string,
  help: string,
  read: Read<HistogramSnapshot>,
  ...labels: string[]
): MetricDefinition {
  return { type: 'histogram', name, help, labels, read: (metrics) => samplesOf(read, metrics) }
}
