import { randomBytes } from 'node:crypto'
import { Command, InvalidArgumentError, Option } from 'commander'
import { Cluster } from './cluster.ts'
import { outcomeLine, succeeded } from './outcome.ts'
import type { Outcome } from './outcome.ts'
import { Playground } from './playground.ts'
import { countText } from './quantities.ts'
import { Screen } from './screen.ts'
import { Story } from './story.ts'

/** Enough for every kind of write of the split. */
const CITIES_MIN = 100
/** Lisbon. With a small data set it is a new key, which does as well. */
const EXAMPLE_KEY = '2267057'

interface DemoOptions {
  readonly once?: true
  readonly json?: true
  readonly sabotage?: true
  readonly cities: number
  readonly host: string
  readonly verbose?: true
}

/** The user wants it to end. */
class Interrupted extends Error {}

/** `gossipgrid demo`. */
export function demoCommand(): Command {
  return new Command('demo')
    .description('Five peers on this machine: load, split, kill, heal, and check that nothing acknowledged is lost')
    .option('--once', 'end after the story instead of staying alive to be played with')
    .option('--json', 'tell the story on stderr, and end with one line of JSON on stdout; implies --once')
    .option('--sabotage', "make one peer lose a write behind the grid's back, to see that the demo can fail")
    .addOption(
      new Option('--cities <count>', `load only so many of the 135,233 cities, at least ${CITIES_MIN}`)
        .argParser(parseCities)
        .default(Infinity, 'all'),
    )
    .option('--host <address>', 'the IPv4 address to listen on; 0.0.0.0 lets other machines join', '127.0.0.1')
    .option('--verbose', 'show what the peers warn of')
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
  const screen = new Screen(options.json === true ? process.stderr : process.stdout)
  const cluster = await Cluster.create({
    name: `demo-${randomBytes(4).toString('hex')}`,
    host: options.host,
    onWarning: (line) => {
      if (options.verbose === true) process.stderr.write(`${line}\n`)
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
    screen.failed(plainText(error))
    return 1
  } finally {
    screen.line()
    await cluster.close()
  }
}

/** An error as a user wants to read it: libp2p puts stacks into its messages. */
function plainText(error: unknown): string {
  const lines = (error instanceof Error ? error.message : String(error)).split('\n').map((line) => line.trim())
  return lines.filter((line) => line !== '' && !line.startsWith('at ')).join(' ')
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
  const playground = new Playground({ cluster, screen, exampleKey: EXAMPLE_KEY })
  playground.welcome()
  try {
    await playground.run(process.stdin, process.stdout, Promise.race([interrupted, cluster.broken]))
  } catch (error) {
    // Ctrl-C is how one leaves a playground; the story has ended well or not before.
    if (!(error instanceof Interrupted)) throw error
  }
}

/** Rejects at the first Ctrl-C or signal to end; at the second one nobody waits for anything any more. */
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

function parseCities(text: string): number {
  const count = Number(text)
  if (!Number.isInteger(count) || count < CITIES_MIN)
    throw new InvalidArgumentError(`It is a number from ${CITIES_MIN}.`)
  return count
}
