/** One metric in an exposition. */
export interface ExposedMetric {
  readonly name: string
  readonly type: string
  readonly help: string
  readonly samples: readonly ExposedSample[]
}

interface ExposedSample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

// prom-client writes 'Nan', which Prometheus accepts.
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (NaN|Nan|[+-]Inf|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)/y

/** Reads the text format of Prometheus, version 0.0.4, and throws at everything that it does not allow. */
export function readExposition(text: string): ExposedMetric[] {
  if (!text.endsWith('\n')) throw new Error('the last line must end')
  const metrics = new Map<string, ExposedMetric & { samples: ExposedSample[] }>()
  let current: { name: string; type: string; help: string; samples: ExposedSample[] } | undefined
  let help: { name: string; text: string } | undefined
  const series = new Set<string>()
  for (const line of text.split('\n').filter((each) => each !== '')) {
    const comment = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line)
    if (comment?.[1] === 'HELP') help = { name: comment[2]!, text: comment[3]! }
    else if (comment !== null) {
      const [, , name, type] = comment
      if (help?.name !== name) throw new Error(`${name} has a TYPE and no HELP before it`)
      if (metrics.has(name!)) throw new Error(`${name} comes twice`)
      current = { name: name!, type: type!, help: help!.text, samples: [] }
      metrics.set(name!, current)
    } else {
      const sample = readSample(line)
      if (current === undefined || !belongs(sample.name, current))
        throw new Error(`${line} stands under ${current?.name}`)
      const identity = `${sample.name} ${JSON.stringify(Object.entries(sample.labels).map(String).toSorted())}`
      if (series.has(identity)) throw new Error(`${identity} comes twice`)
      series.add(identity)
      current.samples.push(sample)
    }
  }
  for (const metric of metrics.values()) checkMetric(metric)
  return [...metrics.values()]
}

function readSample(line: string): ExposedSample {
  const match = SAMPLE.exec(line)
  if (match === null) throw new Error(`no sample: ${line}`)
  const labels: Record<string, string> = {}
  const text = match[2] ?? ''
  LABEL.lastIndex = 0
  while (LABEL.lastIndex < text.length) {
    const label = LABEL.exec(text)
    if (label === null) throw new Error(`bad labels: ${line}`)
    if (label[1]! in labels) throw new Error(`a label twice: ${line}`)
    labels[label[1]!] = label[2]!
  }
  const value = Number(match[3]!.replace('Inf', 'Infinity'))
  return { name: match[1]!, labels, value }
}

function belongs(sample: string, { name, type }: { name: string; type: string }): boolean {
  if (type !== 'histogram') return sample === name
  return [`${name}_bucket`, `${name}_sum`, `${name}_count`].includes(sample)
}

function checkMetric(metric: ExposedMetric): void {
  const { name, type, samples } = metric
  if (type === 'counter' && samples.some(({ value }) => !(value >= 0))) throw new Error(`${name} went below zero`)
  if (type !== 'histogram') return
  const others = (labels: Readonly<Record<string, string>>): string =>
    JSON.stringify(Object.entries(labels).filter(([label]) => label !== 'le'))
  for (const { labels, value } of samples.filter((sample) => sample.name === `${name}_count`)) {
    const buckets = samples.filter((each) => each.name === `${name}_bucket` && others(each.labels) === others(labels))
    const bounds = buckets.map((bucket) => Number(bucket.labels['le']!.replace('+Inf', 'Infinity')))
    const ascending = bounds.every((bound, i) => i === 0 || bound > bounds[i - 1]!)
    if (!ascending || bounds.at(-1) !== Infinity) throw new Error(`${name}: buckets ${bounds.join()}`)
    const cumulative = buckets.every((bucket, i) => i === 0 || bucket.value >= buckets[i - 1]!.value)
    if (!cumulative) throw new Error(`${name}: its buckets are not cumulative`)
    if (buckets.at(-1)!.value !== value) throw new Error(`${name}: +Inf is not its count`)
    if (!samples.some((each) => each.name === `${name}_sum` && others(each.labels) === others(labels))) {
      throw new Error(`${name} has no sum`)
    }
  }
}
