import { randomBytes } from 'node:crypto'
import { Command, InvalidArgumentError } from 'commander'
import { Cluster } from './cluster.ts'
import { outcomeLine, succeeded } from './outcome.ts'
import { countText } from './quantities.ts'
import { Screen } from './screen.ts'
import { Story } from './story.ts'

/** Enough for every kind of write of the split. */
const CITIES_MIN = 100
const CITIES_ALL = 1_000_000

interface DemoOptions {
  readonly once: boolean
  readonly json: boolean
  readonly sabotage: boolean
  readonly cities: number
  readonly host: string
  readonly verbose: boolean
}

/** The user wants it to end. */
class Interrupted extends Error {}

/** `gossipgrid demo`. */
export function demoCommand(): Command {
  return new Command('demo')
    .description('Five peers on this machine: load, split, kill, heal, and check that nothing acknowledged is lost')
    .option('--once', 'end after the story instead of staying alive to be played with', false)
    .option('--json', 'tell the story on stderr, and end with one line of JSON on stdout; implies --once', false)
    .option('--sabotage', "make one peer lose a write behind the grid's back, to see that the demo can fail", false)
    .option(
      '--cities <count>',
      `load only so many of the 135,233 cities, at least ${CITIES_MIN}`,
      parseCities,
      CITIES_ALL,
    )
    .option('--host <address>', 'the IPv4 address to listen on; 0.0.0.0 lets other machines join', '127.0.0.1')
    .option('--verbose', 'show what the peers warn of', false)
    .addHelpText('after', HELP)
    .action(async (options: DemoOptions) => {
      process.exitCode = await runDemo(options)
    })
}

const HELP = `
Examples:
  $ gossipgrid demo                             the whole story, then a prompt to play with the five peers
  $ gossipgrid demo --once --json 2>/dev/null   only the result
  $ gossipgrid demo --once --sabotage           must end with exit code 1
  $ gossipgrid demo --cities 5000               a small data set

The line of JSON:
  entries        entries that every peer must hold in the end, by the ledger
  splitWrites    writes acknowledged while the network was split
  conflicts      keys written on both sides of the split
  lostWrites     entries, over all peers, that are not what the ledger says they must be
  fingerprints   one per peer
  loadMs         from the first write until all are acknowledged, which is when they are synced to disk
  spreadMs       from then until all five peers hold everything
  healMs         from the end of the split until all five are equal
  healBytes      bytes that all peers together sent on their sockets meanwhile

Exit code: 0 if all peers are equal and nothing is lost, 1 if not, 130 if interrupted.`

async function runDemo(options: DemoOptions): Promise<number> {
  const screen = new Screen(options.json ? process.stderr : process.stdout)
  const interruption = Promise.withResolvers<never>()
  interruption.promise.catch(() => undefined)
  const cluster = await Cluster.create({
    name: `demo-${randomBytes(4).toString('hex')}`,
    host: options.host,
    onWarning: (line) => {
      if (options.verbose) process.stderr.write(`${line}\n`)
    },
  })
  let interruptions = 0
  const interrupt = (): void => {
    interruptions += 1
    if (interruptions > 1) cluster.killAll()
    interruption.reject(new Interrupted())
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, interrupt)
  try {
    const { colors } = screen
    screen.title('gossipgrid demo', 'five peers, one grid, no server between them')
    const story = new Story({
      cluster,
      screen,
      citiesMax: options.cities,
      sabotage: options.sabotage,
      interrupted: interruption.promise,
    })
    const outcome = await story.tell()
    screen.line()
    const lost = outcome.mismatches.length
    if (succeeded(outcome)) {
      screen.line(
        `  ${colors.green('✓')} ${colors.bold('All five peers are equal, and nothing acknowledged is lost.')}`,
      )
    } else {
      const what = outcome.converged ? `${countText(lost)} lost` : 'the peers are not equal'
      screen.line(`  ${colors.red('✗')} ${colors.bold(`The grid did not keep its promise: ${what}.`)}`)
    }
    if (options.json) process.stdout.write(`${outcomeLine(outcome)}\n`)
    return succeeded(outcome) ? 0 : 1
  } catch (error) {
    if (error instanceof Interrupted) return 130
    screen.line()
    screen.failed(error instanceof Error ? error.message : String(error))
    return 1
  } finally {
    await cluster.close()
  }
}

function parseCities(text: string): number {
  const count = Number(text)
  if (!Number.isInteger(count) || count < CITIES_MIN)
    throw new InvalidArgumentError(`It is a number from ${CITIES_MIN}.`)
  return count
}
