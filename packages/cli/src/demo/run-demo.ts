import { randomBytes } from 'node:crypto'
import { errorText } from '../cli-error.ts'
import { countText } from '../terminal/quantities.ts'
import { Cluster } from './cluster/cluster.ts'
import { outcomeLine, succeeded } from './story/outcome.ts'
import type { Outcome } from './story/outcome.ts'
import { servePages } from './page-server.ts'
import { visibleLine } from '../terminal/visible.ts'
import { Playground } from './playground.ts'
import { Screen } from './screen/screen.ts'
import { Story } from './story/story.ts'

/** The options of `gossipgrid demo`, as commander parses them. */
export interface DemoOptions {
  readonly once?: true
  readonly json?: true
  readonly sabotage?: true
  readonly cities: number
  readonly host: string
  readonly verbose?: true
}

/** Lisbon. In a small data set it is a new key, which works as well. */
const EXAMPLE_KEY = '2267057'

/** The user wants to end the demo. */
class Interrupted extends Error {}

/** Runs the story, then the playground. Resolves to the exit code. */
export async function runDemo(options: DemoOptions): Promise<number> {
  const screen = new Screen(options.json === true ? process.stderr : process.stdout)
  const cluster = await Cluster.create({
    name: `demo-${randomBytes(4).toString('hex')}`,
    host: options.host,
    onWarning: (line) => {
      if (options.verbose === true) process.stderr.write(`${visibleLine(line)}\n`)
    },
  })
  const interrupted = interruption(cluster)
  try {
    screen.title('gossipgrid demo', 'five peers, one grid, no server between them')
    const { cities: citiesMax, sabotage = false, once = false, json = false } = options
    const outcome = await new Story({ cluster, screen, citiesMax, sabotage, interrupted }).tell()
    tellVerdict(screen, outcome)
    if (json) process.stdout.write(`${outcomeLine(outcome)}\n`)
    if (!once && !json) await play(cluster, screen, interrupted)
    return succeeded(outcome) ? 0 : 1
  } catch (error) {
    screen.line()
    if (error instanceof Interrupted) {
      screen.line('  Interrupted: ending all peers.')
      return 130
    }
    screen.failed(errorText(error))
    return 1
  } finally {
    screen.line()
    await cluster.close()
  }
}

function tellVerdict(screen: Screen, outcome: Outcome): void {
  const { green, red, bold } = screen.colors
  screen.line()
  if (succeeded(outcome)) {
    screen.line(`  ${green('✓')} ${bold('All five peers are equal, and nothing acknowledged is lost.')}`)
    return
  }
  const lost = `${countText(outcome.mismatches.length)} of what was acknowledged is lost`
  screen.line(`  ${red('✗')} ${bold(outcome.converged ? `${lost}.` : `The peers are not equal, and ${lost}.`)}`)
}

async function play(cluster: Cluster, screen: Screen, interrupted: Promise<never>): Promise<void> {
  await cluster.seat()
  const pages = await servePages(cluster)
  const playground = new Playground({ cluster, screen, exampleKey: EXAMPLE_KEY, pagesUrl: pages?.url })
  playground.welcome()
  try {
    await playground.run(process.stdin, process.stdout, Promise.race([interrupted, cluster.broken]))
  } catch (error) {
    // Ctrl-C is the usual way to leave a playground. The story's result decides the exit code.
    if (!(error instanceof Interrupted)) throw error
  } finally {
    await pages?.close()
  }
}

/** Rejects at the first Ctrl-C or signal to end; the second one ends the demo without waiting. */
function interruption(cluster: Cluster): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>()
  promise.catch(() => undefined)
  let signals = 0
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      signals += 1
      if (signals > 1) cluster.killAll()
      reject(new Interrupted())
    })
  }
  return promise
}
