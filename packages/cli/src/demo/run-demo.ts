import { randomBytes } from 'node:crypto'
import { errorText } from '../cli-error.ts'
import { countText } from '../terminal/quantities.ts'
import { Cluster } from './cluster/cluster.ts'
import { movedWell, movingLine } from './moving/moving-outcome.ts'
import type { MovingOutcome } from './moving/moving-outcome.ts'
import { MOVING_PEERS, MovingStory } from './moving/moving-story.ts'
import { outcomeLine, succeeded } from './story/outcome.ts'
import type { Outcome } from './story/outcome.ts'
import { servePages } from './page-server.ts'
import type { PageServer } from './page-server.ts'
import { visibleLine } from '../terminal/visible.ts'
import { Playground } from './playground.ts'
import { partitionLines } from './screen/partition-lines.ts'
import { peerLines } from './screen/peer-lines.ts'
import { Screen } from './screen/screen.ts'
import type { LiveLines } from './screen/screen.ts'
import { Story } from './story/story.ts'
import type { StoryOptions } from './story/story.ts'

/** The options of `gossipgrid demo`, as commander parses them. */
export interface DemoOptions {
  readonly partitioned?: true
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

/** How many peers the story of a replicated map has. */
const PEERS = 5

/** The result of either story. */
interface StoryResult {
  readonly isGood: boolean
  /** For people. */
  readonly verdict: string
  /** For `--json`. */
  readonly line: string
}

/** Runs the story, then the playground. Resolves to the exit code. */
export async function runDemo(options: DemoOptions): Promise<number> {
  const { partitioned = false, sabotage = false, once = false, json = false } = options
  const screen = new Screen(json ? process.stderr : process.stdout)
  const cluster = await Cluster.create({
    name: `demo-${randomBytes(4).toString('hex')}`,
    host: options.host,
    peers: partitioned ? MOVING_PEERS : PEERS,
    partitioned,
    onWarning: (line) => {
      if (options.verbose === true) process.stderr.write(`${visibleLine(line)}\n`)
    },
  })
  const interrupted = interruption(cluster)
  const pages = new DemoPages(cluster)
  try {
    screen.title('gossipgrid demo', `${partitioned ? 'seven' : 'five'} peers, one grid, no server between them`)
    const story = { cluster, screen, citiesMax: options.cities, sabotage, interrupted }
    const { isGood, line, verdict } = await (partitioned
      ? tellMoving(story, once || json ? undefined : pages)
      : tellSplit(story))
    screen.line()
    const { green, red, bold } = screen.colors
    screen.line(`  ${isGood ? green('✓') : red('✗')} ${bold(verdict)}`)
    if (json) process.stdout.write(`${line}\n`)
    if (!once && !json)
      await play({ cluster, screen, pages, interrupted, lines: linesOf(cluster, screen, partitioned) })
    return isGood ? 0 : 1
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
    await pages.close()
    await cluster.close()
  }
}

async function tellSplit(story: StoryOptions): Promise<StoryResult> {
  const outcome = await new Story(story).tell()
  return { isGood: succeeded(outcome), verdict: verdictOf(outcome), line: outcomeLine(outcome) }
}

function verdictOf(outcome: Outcome): string {
  if (succeeded(outcome)) return 'All five peers are equal, and nothing acknowledged is lost.'
  const lost = `${countText(outcome.mismatches.length)} of what was acknowledged is lost`
  return outcome.converged ? `${lost}.` : `The peers are not equal, and ${lost}.`
}

/** With pages: they show the partitions from the beginning. */
async function tellMoving(story: StoryOptions, pages: DemoPages | undefined): Promise<StoryResult> {
  const opened = async (): Promise<void> => {
    const url = await pages?.serve()
    if (url !== undefined) story.screen.note(`Watch the partitions move: ${url}`)
  }
  const outcome = await new MovingStory({ ...story, opened }).tell()
  return { isGood: movedWell(outcome), verdict: movingVerdict(outcome), line: movingLine(outcome) }
}

function movingVerdict(outcome: MovingOutcome): string {
  const { copiesMax, copiesMin, failedReads, falseMissing, mismatches } = outcome
  if (movedWell(outcome)) return `Nothing acknowledged is lost or was missed, and each entry is on ${copiesMin} peers.`
  const lost = `${countText(mismatches.length)} of what was acknowledged is lost`
  const missed = `${countText(failedReads + falseMissing)} reads failed`
  return `${lost}, ${missed}, and entries are on ${copiesMin} to ${copiesMax} peers.`
}

function linesOf(cluster: Cluster, { colors }: Screen, partitioned: boolean): LiveLines {
  if (partitioned) return partitionLines({ cluster, colors })
  const target = (): number => Math.max(...cluster.peers.map(({ state }) => state.entries))
  return peerLines({ cluster, colors, target })
}

/** The pages of the demo, once they are asked for. */
class DemoPages {
  readonly #cluster: Cluster
  #server: Promise<PageServer | undefined> | undefined

  constructor(cluster: Cluster) {
    this.#cluster = cluster
  }

  /** Their address; undefined when they have not been built. */
  async serve(): Promise<string | undefined> {
    this.#server ??= this.#cluster.seat().then(() => servePages(this.#cluster))
    return (await this.#server)?.url
  }

  async close(): Promise<void> {
    await (await this.#server)?.close()
  }
}

interface Play {
  readonly cluster: Cluster
  readonly screen: Screen
  readonly pages: DemoPages
  readonly interrupted: Promise<never>
  readonly lines: LiveLines
}

async function play({ cluster, screen, pages, interrupted, lines }: Play): Promise<void> {
  const playground = new Playground({ cluster, screen, lines, exampleKey: EXAMPLE_KEY, pagesUrl: await pages.serve() })
  playground.welcome()
  try {
    await playground.run(process.stdin, process.stdout, Promise.race([interrupted, cluster.broken]))
  } catch (error) {
    // Ctrl-C is the usual way to leave a playground. The story's result decides the exit code.
    if (!(error instanceof Interrupted)) throw error
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
