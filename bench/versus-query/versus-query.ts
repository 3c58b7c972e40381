import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Conditions } from '../report.ts'
import { comparisonTable } from '../versus/comparison-table.ts'
import type { ComparedFigures } from '../versus/comparison-table.ts'
import { inTurns } from '../versus/in-turns.ts'
import type { Result } from '../versus/in-turns.ts'
import type { QueryContender } from './contender.ts'
import type { ContenderFigures } from './contender-program.ts'
import { QUERY_CONTENDERS } from './contenders.ts'

const PAGE = fileURLToPath(new URL('../../docs/query-performance.md', import.meta.url))
const PROGRAM_MAX_MS = 600_000

const FIGURES: ComparedFigures = {
  byNameMs: { text: 'all cities of one name (15 to 25), by an index, ms' },
  withinMs: { text: 'the 20 largest within two bounds, in order, ms' },
  scanMs: { text: 'conditions on two fields without an index, ms' },
  scanStallMs: { text: 'the longest turn of the event loop meanwhile, ms of processor time' },
  livePageMs: { text: 'live, the 20 largest: from a write until the rows have it, ms' },
  liveAllMs: { text: 'live, all 135,233 in order: from a write until the first row is read, ms' },
  megabytes: { text: 'memory of the cities with the indexes, MB' },
}

/** Measures the queries of all contenders, and returns what writes the page. */
export function versusQuery(
  runs: number,
  progress: (line: string) => void,
): Promise<(where: Conditions) => Promise<string>> {
  const script = 'versus-query/contender-program.ts'
  return inTurns({ contenders: QUERY_CONTENDERS, script, measure, file: PAGE, pageOf }, runs, progress)
}

/** The figures of one contender, in a program of its own. */
async function measure({ name }: QueryContender, program: string, loader: string): Promise<ContenderFigures> {
  const child = fork(program, [name, loader], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    execArgv: ['--expose-gc'],
    timeout: PROGRAM_MAX_MS,
  })
  const answered = once(child, 'message') as Promise<[ContenderFigures]>
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`${name} ended without figures (${code})`)
  })
  const [figures] = await Promise.race([answered, ended])
  ended.catch(() => undefined)
  return figures
}

function pageOf(results: readonly Result<QueryContender>[], where: Conditions): string {
  const { node, cpu, cores, loadAtStart, loadAtEnd, runs } = where
  const day = new Date().toISOString().slice(0, 10)
  return `# Performance of queries

How [queries](queries.md) compare with those of others, measured by \`npm run bench -- versus query\`, which writes this page. Each library
has 135,233 cities in the memory of a program of its own, with indexes on the name and on the population where it has any. They are measured
in turns, ${runs === 1 ? 'once' : `${runs} times`}; the table has the medians of all queries, each of which asks for something else. In brackets: how many times as
good as gossipgrid, so below 1 is worse.

${comparisonTable(FIGURES, results, 'none')}

Measured on ${day}: Node ${node.slice(1)}, ${cores} x ${cpu}, load average ${loadAtStart} at the start and ${loadAtEnd} at the end. On a loaded machine all figures are worse, and
single ones by chance: compare the columns, not the absolute figures.

## What to know of each

${results.map(({ contender }) => `- **${contender.name}**: ${contender.remark}`).join('\n')}

All queries are of what one program has. How the data reaches other programs is not measured: gossipgrid, RxDB and TinyBase bring that with them, and TanStack DB
leaves it to adapters, of which [gossipgrid has one](tanstack-db.md).
`
}
