import { setTimeout as delay } from 'node:timers/promises'
import { Command } from 'commander'
import { CliError, EXIT } from '../cli-error.ts'
import type { PeerStatus } from '../control/control-api.ts'
import { ControlClient } from '../control/control-client.ts'
import { colorsFor } from '../terminal/colors.ts'
import type { Colors } from '../terminal/colors.ts'
import { print, printJson } from '../terminal/output.ts'
import { bytesText, countOf, countText, spanText } from '../terminal/quantities.ts'
import { facts } from '../terminal/table.ts'
import { collectionTable } from './collections-command.ts'
import { wrapped } from '../terminal/wrapped.ts'
import { clientCommand, examples, parseDuration } from './options.ts'
import type { ClientOptions } from './options.ts'

/** The part of 80 columns that is left beside the names. */
const TEXT_COLUMNS = 68
/** The time between two looks for a peer that is being started. */
const LOOK_GAP_MS = 200

interface StatusOptions extends ClientOptions {
  readonly check?: true
  /** Milliseconds. */
  readonly wait?: number
}

/** `gossipgrid status`. */
export function statusCommand(): Command {
  const command = new Command('status')
    .description('Show the state of a running peer')
    .option('--check', 'print nothing; exit with 1 if its store refuses writes, 3 if it does not answer')
    .option('--wait <time>', 'wait so long for the peer to answer, such as 30s', parseDuration)
    .action(runStatus)
  return examples(clientCommand(command), [
    ['gossipgrid status', 'of the one peer that runs here'],
    ['gossipgrid status --name shop', 'of the peer of this grid'],
    ['gossipgrid status --json | jq .backlog', 'for scripts'],
    ['gossipgrid status --check', 'for a health check'],
    ['gossipgrid status --check --wait 30s', 'after a start, until it is up'],
  ])
}

async function runStatus(options: StatusOptions): Promise<void> {
  const { client, status } = await answer(options, performance.now() + (options.wait ?? 0))
  try {
    if (options.check === true) return check(status)
    if (options.json === true) return printJson(status)
    const colors = colorsFor(process.stdout)
    print(facts(statusLines(status, colors), colors))
    if (status.collections.length > 0) print(`\n${await collectionTable(status.collections, colors)}`)
  } finally {
    client.close()
  }
}

/** The peer that the options select, and what it says, once it answers. Throws why it does not when `untilMs` is over. */
async function answer(options: StatusOptions, untilMs: number): Promise<{ client: ControlClient; status: PeerStatus }> {
  for (;;) {
    let client: ControlClient | undefined
    try {
      client = await ControlClient.of(options)
      return { client, status: await client.call<PeerStatus>('/v1/status') }
    } catch (error) {
      client?.close()
      const starting = error instanceof CliError && error.exitCode === EXIT.unreachable
      if (!starting || performance.now() >= untilMs) throw error
      await delay(LOOK_GAP_MS)
    }
  }
}

function check({ storage }: PeerStatus): void {
  if (storage.healthy) return
  throw CliError.fromPeer(
    'STORAGE_FAILED',
    `the store refuses writes: ${storage.error}`,
    'Free space or mend the disk.',
  )
}

function statusLines(status: PeerStatus, colors: Colors): [string, string][] {
  const { backlog, traffic } = status
  const waiting = [
    ...(backlog.undurableBytes > 0 ? [`${bytesText(backlog.undurableBytes)} for the disk`] : []),
    ...(backlog.broadcastBytes > 0 ? [`${bytesText(backlog.broadcastBytes)} to be broadcast`] : []),
    ...(backlog.sessions > 0 ? [countOf(backlog.sessions, 'session')] : []),
    ...(backlog.heldWrites > 0
      ? [colors.yellow(`${countOf(backlog.heldWrites, 'write')} dated ahead of this clock`)]
      : []),
  ]
  return [
    ['grid', colors.bold(status.name)],
    ['peer', status.peerId],
    ['running', `for ${uptimeText(status.uptimeMs)}, pid ${status.pid}, gossipgrid ${status.version}`],
    ['addresses', status.addresses.map((address) => address.replace(/\/p2p\/.*$/, '')).join('\n') || 'none'],
    ['data', storageText(status, colors)],
    ['members', memberText(status)],
    ['compared', wrapped(status.convergence.text, TEXT_COLUMNS).join('\n')],
    ['traffic', `${bytesText(traffic.sentBytes)} sent, ${bytesText(traffic.receivedBytes)} received`],
    ['waiting', waiting.join(', ') || 'nothing'],
    ...partitionLines(status, colors),
    ...guestLines(status),
    ...clockLines(status, colors),
    ...(status.purging.tombstones === 0
      ? []
      : [['deletes', wrapped(status.purging.text, TEXT_COLUMNS).join('\n')] as [string, string]]),
    ...(status.offences > 0
      ? [['refused', colors.yellow(countOf(status.offences, 'message'))] as [string, string]]
      : []),
    ...(status.metrics === '' ? [] : [['metrics', status.metrics] as [string, string]]),
    ['socket', status.socket],
  ]
}

/** Nothing while there is no partitioned collection. */
function partitionLines({ partitions }: PeerStatus, colors: Colors): [string, string][] {
  const { total, owned, whole, handingOver, underReplicated, unreachable, lost, hints } = partitions
  if (total === 0 && hints === 0) return []
  const parts = [
    `${countText(owned)} of ${countText(total)} are owned here, ${countText(whole)} whole`,
    ...(handingOver > 0 ? [`${countText(handingOver)} are handed over`] : []),
    ...(underReplicated > 0 ? [colors.yellow(`${countText(underReplicated)} with too few copies`)] : []),
    ...(unreachable > 0 ? [colors.yellow(`${countText(unreachable)} without a whole copy in reach`)] : []),
    ...(lost > 0 ? [colors.red(`${countText(lost)} lost`)] : []),
    ...(hints > 0 ? [`${countOf(hints, 'write')} on the way to owners`] : []),
  ]
  return [['partitions', wrapped(parts.join('; '), TEXT_COLUMNS).join('\n')]]
}

/** Nothing at a peer that serves no guests. */
function guestLines({ guests }: PeerStatus): [string, string][] {
  if (guests === undefined) return []
  const { addresses, connected, writesRefused, writesTaken } = guests
  const writes = `${countOf(writesTaken, 'write')} taken, ${countText(writesRefused)} refused`
  return [['guests', [`${countText(connected)} connected; ${writes}`, ...addresses].join('\n')]]
}

/** Nothing while the grid believes this machine's clock and those of the others. */
function clockLines({ clock }: PeerStatus, colors: Colors): [string, string][] {
  const { offsetMs, voters, restamped, refusedWrites } = clock
  const found: string[] = []
  if (offsetMs !== 0) {
    const wrong = `${spanText(Math.abs(offsetMs))} ${offsetMs < 0 ? 'ahead' : 'behind'}`
    found.push(
      `this machine is ${wrong}, going by ${countOf(voters, 'other peer')}; the grid's time is used: set it right`,
    )
  }
  if (restamped > 0) found.push(`${countOf(restamped, 'write')} redated`)
  if (refusedWrites > 0) found.push(`writes of others refused ${countOf(refusedWrites, 'time')}: dated too far ahead`)
  return found.length === 0 ? [] : [['clock', colors.yellow(wrapped(found.join('; '), TEXT_COLUMNS).join('\n'))]]
}

function storageText({ storage, directory }: PeerStatus, colors: Colors): string {
  if (!storage.healthy) return colors.red(`the store refuses writes: ${storage.error}`)
  if (!storage.persistent) return colors.yellow('in memory only; give --data to keep it')
  return `${directory}, healthy, ${bytesText(storage.logBytes)} of log`
}

function memberText({ peers }: PeerStatus): string {
  const count = (state: string): number => peers.filter((peer) => peer.state === state).length
  const states = ['alive', 'suspect', 'asleep', 'gone'].filter((state) => count(state) > 0)
  const connected = peers.filter((peer) => peer.connected).length
  return `${states.map((state) => `${countText(count(state))} ${state}`).join(', ')}; ${connected} connected`
}

/** 7_384_000 -> '2 h 3 min'. */
function uptimeText(ms: number): string {
  const minutes = Math.floor(ms / 60_000)
  if (minutes < 1) return `${Math.floor(ms / 1000)} s`
  if (minutes < 60) return `${minutes} min`
  const hours = Math.floor(minutes / 60)
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} days ${hours % 24} h`
}
