import { fileURLToPath } from 'node:url'
import type { Conditions } from '../report.ts'
import { comparisonTable } from './comparison-table.ts'
import type { ComparedFigures } from './comparison-table.ts'
import type { Contender } from './contender.ts'
import { ALL_CONTENDERS, CONTENDERS } from './contenders.ts'
import { inTurns } from './in-turns.ts'
import type { Result } from './in-turns.ts'
import { measure, PAUSES } from './measure.ts'

const PAGE = fileURLToPath(new URL('../../docs/performance.md', import.meta.url))

const FIGURES: ComparedFigures = {
  ...Object.fromEntries(
    PAUSES.flatMap(({ pauseMs }) => {
      const when =
        pauseMs === 0 ? 'made as soon as the last was answered' : `made ${pauseMs} ms after the last was answered`
      const text = `from a write to its change in the other program, ${when}`
      return [
        [`pause${pauseMs}P50Ms`, { text: `${text}, p50, ms` }],
        [`pause${pauseMs}P99Ms`, { text: 'the same, p99, ms' }],
      ]
    }),
  ),
  streamPerSec: {
    text: '10,000 writes, a turn of the event loop after each 50, until all are visible: writes a second',
    moreIsBetter: true,
  },
  joinMs: { text: 'one more copy, its code loaded, from opening it until it has all its more than 10,000 entries, ms' },
  healMs: { text: '100 writes on each side while apart, from reconnecting until both have all, ms' },
  idleMegabytes: { text: 'memory of a program with an empty map, MB' },
}

/** Measures contenders, `heavy` ones too, and returns the page that says how they compare. */
export function versus(
  runs: number,
  progress: (line: string) => void,
  heavy: boolean,
): Promise<(where: Conditions) => Promise<string>> {
  const script = 'versus/contender-program.ts'
  return inTurns(
    { contenders: heavy ? ALL_CONTENDERS : CONTENDERS, script, measure, file: PAGE, pageOf },
    runs,
    progress,
  )
}

function pageOf(
  results: readonly Result<Contender>[],
  { node, cpu, cores, loadAtStart, loadAtEnd, runs }: Conditions,
): string {
  const day = new Date().toISOString().slice(0, 10)
  const table = comparisonTable(FIGURES, results, 'never')
  return `# Performance

How gossipgrid compares with others, measured by \`npm run bench -- versus\`, which writes this page. Two programs on one machine share a
map of text in memory (keys of 13 bytes, values of 100). Each library is used as its documentation says. Those that need a server or a
relay have it in a third program; what it costs is not counted. They are measured in turns, ${runs} times; the table has the medians. In
brackets: how many times as good as gossipgrid, so below 1 is worse.

${table}

Measured on ${day}: Node ${node.slice(1)}, ${cores} x ${cpu}, load average ${loadAtStart} at the start and ${loadAtEnd} at the end. On a loaded machine all figures are worse, and
single ones by chance: compare the columns, not the absolute figures.

## What to know of each

${results.map(({ contender }) => `- **${contender.name}**: ${contender.remark}`).join('\n')}
`
}
