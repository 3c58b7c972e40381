import process from 'node:process'
import { parseArgs } from 'node:util'
import { awaited } from './awaited.ts'
import type { Bench, Figures } from './bench.ts'
import { browser } from './browser.ts'
import { crowd } from './crowd.ts'
import { document } from './document.ts'
import { engine } from './engine.ts'
import { guests } from './guests.ts'
import { idle } from './idle.ts'
import { idlePartitions } from './idle-partitions.ts'
import { latency } from './latency.ts'
import { summarize } from './medians.ts'
import { partitioned } from './partitioned.ts'
import { partitionedQueries } from './partitioned-queries.ts'
import { placement } from './placement.ts'
import { query } from './query.ts'
import { replicate } from './replicate.ts'
import { conditions, jsonLine, loadNow, table } from './report.ts'
import { storage } from './storage.ts'
import { versusQuery } from './versus-query/versus-query.ts'
import { versus } from './versus/versus.ts'

const BENCHES: readonly Bench[] = [
  awaited,
  browser,
  crowd,
  document,
  engine,
  guests,
  idle,
  idlePartitions,
  latency,
  partitioned,
  partitionedQueries,
  placement,
  query,
  replicate,
  storage,
]

/** Beside others: no benches of this project alone. */
const COMPARISONS: Readonly<Record<string, typeof versus>> = { versus, 'versus query': versusQuery }

/** Exit codes: 0 measured, 1 something failed, 2 wrong arguments. */
async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      heavy: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      runs: { type: 'string' },
    },
  })
  if (values.heavy && positionals.join(' ') !== 'versus') return usage('--heavy')
  const comparison = COMPARISONS[positionals.join(' ')]
  if (comparison !== undefined)
    return compare(positionals.join(' '), comparison, Number(values.runs ?? 3), values.heavy)
  const bench = BENCHES.find(({ name }) => name === positionals[0])
  const runs = values.runs === undefined ? bench?.runsDefault : Number(values.runs)
  if (bench === undefined || positionals.length > 1) return usage(positionals.join(' '))
  if (runs === undefined || !Number.isInteger(runs) || runs < 1) return usage(`--runs ${values.runs}`)
  const loadAtStart = loadNow()
  const startMs = performance.now()
  const measured: Figures[] = []
  for (let run = 1; run <= runs; run++) {
    measured.push(await bench.run((line) => progress(`${bench.name} ${run}/${runs}: ${line}`)))
  }
  const where = conditions(loadAtStart, runs, performance.now() - startMs)
  const summaries = summarize(measured)
  process.stderr.write(`${table(bench.name, where, summaries)}\n`)
  if (values.json) process.stdout.write(`${jsonLine(bench.name, where, summaries)}\n`)
  return 0
}

async function compare(name: string, comparison: typeof versus, runs: number, heavy: boolean): Promise<number> {
  if (!Number.isInteger(runs) || runs < 1) return usage(`--runs ${runs}`)
  const loadAtStart = loadNow()
  const startMs = performance.now()
  const write = await comparison(runs, (line) => progress(`${name}: ${line}`), heavy)
  progress(await write(conditions(loadAtStart, runs, performance.now() - startMs)))
  return 0
}

function progress(line: string): void {
  process.stderr.write(`${line}\n`)
}

function usage(given: string): number {
  if (given !== '') process.stderr.write(`not understood: ${given}\n`)
  const lines = BENCHES.map(({ name, summary, runsDefault }) => `  ${name.padEnd(20)} ${summary} (${runsDefault} runs)`)
  lines.push(
    '  versus               two programs beside the same of other libraries; installs these and writes docs/performance.md (3 runs);',
    '                       with --heavy OrbitDB and Peerbit as well',
    '  versus query         queries beside those of other libraries; installs these and writes docs/query-performance.md (3 runs)',
  )
  process.stderr.write(`usage: npm run bench -- NAME [--json] [--runs N]\n${lines.join('\n')}\n`)
  return 2
}

try {
  process.exitCode = await main()
} catch (error) {
  const misused = error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS')
  process.stderr.write(`${misused ? error.message : error instanceof Error ? error.stack : String(error)}\n`)
  // A failed bench may have left grids open.
  process.exit(misused ? usage('') : 1)
}
