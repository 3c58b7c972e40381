import { createRequire } from 'node:module'
import { resolve } from 'node:path'
import type { Grid, Logger } from 'gossipgrid'
import { closeAll } from '../closing.ts'
import type { Closable } from '../closing.ts'
import { serveControl } from '../control/control-server.ts'
import { colorsFor } from '../terminal/colors.ts'
import type { Colors } from '../terminal/colors.ts'
import { print, printJson } from '../terminal/output.ts'
import { countOf } from '../terminal/quantities.ts'
import { shellWord } from '../terminal/shell-word.ts'
import { facts } from '../terminal/table.ts'
import { joinAddress, listenAddresses, metricsAddress, onlyHere } from './addresses.ts'
import { checkReach } from './reach.ts'
import { readCertificate } from './certificate.ts'
import type { CertificateOptions } from './certificate.ts'
import { EndSignal } from './end-signal.ts'
import { peerLog } from './peer-log.ts'
import type { LogFormat, LogLevel } from './peer-log.ts'
import { checkGuests, guestsOf } from './guests.ts'
import { readSecrets } from './secret.ts'
import { isCredential, reportUp } from './service.ts'
import { withAdvice } from './start-advice.ts'

/** The options of `gossipgrid peer`, as commander parses them. */
export interface PeerOptions extends CertificateOptions {
  readonly name: string
  readonly secretFile?: string
  readonly open?: true
  readonly data?: string
  readonly listen?: readonly string[]
  readonly announce?: readonly string[]
  readonly join?: readonly string[]
  readonly guests?: readonly string[]
  readonly announceGuests?: readonly string[]
  readonly guestsMax?: number
  readonly metrics?: string
  readonly mdns: boolean
  readonly zone?: string
  readonly weight?: number
  readonly role?: 'storage' | 'light'
  readonly socket?: string
  readonly logLevel: LogLevel
  readonly logFormat: LogFormat
  readonly json?: true
}

const { version } = createRequire(import.meta.url)('../../package.json') as { version: string }

/** Runs a peer until a signal ends it. Rejects when it cannot be started, with everything closed. */
export async function runPeer(options: PeerOptions): Promise<void> {
  const log = peerLog(options.logLevel, options.logFormat)
  // The peer's private key is in the data directory, so only its user may read it.
  process.umask(0o077)
  const ended = new EndSignal(log)
  outliveReaders()
  const { secrets, warning } = readSecrets(options.secretFile)
  if (warning !== '') log.warn(warning)
  checkReach(options, secrets)
  checkGuests(options, secrets)
  const opened: Closable[] = []
  try {
    const left = (): void => ended.end('it has left the grid')
    await start(options, { log, secrets, opened, signal: ended.signal, left })
    log.info(`${await ended.came}: closing`)
  } catch (error) {
    // A failure because of the signal is none; a later failure is one.
    if (!ended.aborted || !(error instanceof Error && 'code' in error && error.code === 'ABORTED'))
      throw withAdvice(error)
    log.info(`${await ended.came} while starting: closing`)
  } finally {
    await closeAll(opened)
  }
  const stored = options.data === undefined ? '' : 'everything acknowledged is on disk, and '
  log.info(`closed; ${stored}the others got a goodbye`)
  // The work is done, whatever a library still keeps open.
  process.exit(0)
}

interface StartDeps {
  readonly log: Logger
  readonly secrets: readonly string[]
  /** Receives everything that is opened, in order. */
  readonly opened: Closable[]
  /** Aborts the start. */
  readonly signal: AbortSignal
  /** To be called when the peer has left the grid. */
  readonly left: () => void
}

async function start(options: PeerOptions, { log, secrets, opened, signal, left }: StartDeps): Promise<void> {
  const metricsAt = options.metrics === undefined ? undefined : metricsAddress(options.metrics)
  const grid = await open(options, secrets, log, signal)
  opened.push(grid)
  logEvents(grid, log)
  let metricsUrl = ''
  if (metricsAt !== undefined) {
    const { serveMetrics } = await import('../metrics/serve-metrics.ts')
    const metrics = await serveMetrics(grid, metricsAt)
    opened.push(metrics)
    metricsUrl = `${metrics.url}/metrics`
  }
  const directory = options.data === undefined ? '' : resolve(options.data)
  const facts = { pid: process.pid, version, directory, metrics: metricsUrl }
  const control = await serveControl({ grid, socket: options.socket, facts, left })
  opened.push(control)
  tellStart(grid, options, { ...facts, socket: control.socket, isPrivate: secrets.length > 0 })
  log.info(`peer ${grid.peerId} of grid '${grid.name}' is up`)
  reportUp(log)
}

async function open(
  options: PeerOptions,
  secrets: readonly string[],
  logger: Logger,
  signal: AbortSignal,
): Promise<Grid> {
  const { openGrid } = await import('gossipgrid')
  const { name, data: directory, zone, weight, role, announce } = options
  const tls = readCertificate(options)
  return openGrid({
    name,
    logger,
    signal,
    mdns: options.mdns,
    ...(secrets.length === 0 ? {} : { secret: secrets }),
    ...(options.open === true ? { open: true } : {}),
    ...(directory === undefined ? {} : { directory }),
    ...(options.listen === undefined ? {} : { listen: await listenAddresses(options.listen, tls !== undefined) }),
    ...(options.join === undefined ? {} : { join: options.join.map(joinAddress) }),
    ...(announce === undefined ? {} : { announce }),
    ...(tls === undefined ? {} : { tls }),
    ...(zone === undefined ? {} : { zone }),
    ...(weight === undefined ? {} : { weight }),
    ...(role === undefined ? {} : { role }),
    ...guestsOf(options, tls !== undefined),
  })
}

/** The reader of the peer's output may go; the peer stays. */
function outliveReaders(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.removeAllListeners('error')
    stream.on('error', () => undefined)
  }
}

function logEvents(grid: Grid, log: Logger): void {
  grid.on('member', (member) =>
    log.info(`${member.peerId} is ${member.state}`, { peerId: member.peerId, state: member.state }),
  )
  grid.on('storage', ({ error }) =>
    log.error(`the store refuses writes: ${error instanceof Error ? error.message : String(error)}`),
  )
  grid.on('session', ({ neighbour, complete }) =>
    log.debug(`exchange with ${neighbour} ${complete ? 'is complete' : 'was broken off'}`),
  )
}

interface Started {
  readonly isPrivate: boolean
  readonly directory: string
  readonly metrics: string
  readonly socket: string
  readonly version: string
  readonly pid: number
}

function tellStart(grid: Grid, options: PeerOptions, started: Started): void {
  const join = joinAddresses(grid)
  const tabs = nearest(grid.addresses.filter(isForTabs))
  const { collections, guests } = grid.status()
  if (options.json === true) {
    const { name, peerId, addresses } = grid
    const { isPrivate, ...rest } = started
    const reach = isPrivate ? 'private' : options.open === true ? 'open' : 'local'
    return printJson({
      name,
      peerId,
      addresses,
      join,
      tabs: tabs ?? '',
      guests: guests?.addresses ?? [],
      reach,
      ...rest,
    })
  }
  const colors = colorsFor(process.stdout)
  const entries = collections.reduce((sum, collection) => sum + collection.entries, 0)
  const contents = `${countOf(entries, 'entry', 'entries')} in ${countOf(collections.length, 'collection')}`
  const lines: [string, string][] = [
    ['grid', `${colors.bold(grid.name)}  ${reachText(options, started, colors)}`],
    ['peer', grid.peerId],
    ['listens', grid.addresses.map((address) => address.replace(/\/p2p\/.*$/, '')).join('\n')],
    [
      'data',
      started.directory === ''
        ? colors.yellow('in memory only; --data DIRECTORY keeps it')
        : `${started.directory}, ${contents}`,
    ],
    ...(started.metrics === '' ? [] : [['metrics', started.metrics] as [string, string]]),
    ['socket', started.socket],
  ]
  print(facts(lines, colors))
  if (join[0] !== undefined) {
    const secret = started.isPrivate ? ', with the same secret' : ''
    const machine = onlyHere(join[0]) ? 'this' : 'another'
    print(`\nJoin from ${machine} machine${secret}:\n  ${joinCommand(grid, join[0], options)}`)
  }
  if (tabs !== undefined) print(`\nTabs join by:\n  ${tabs}`)
  const guestAddress = nearest(guests?.addresses ?? [])
  if (guestAddress !== undefined) print(`\nGuests join, with a pass, by:\n  ${guestAddress}`)
  print(`\n${colors.dim('Look at it with: gossipgrid status. Ctrl-C closes it.')}`)
}

function reachText(options: PeerOptions, { isPrivate }: Started, colors: Colors): string {
  if (isPrivate) return 'private'
  return colors.yellow(options.open === true ? 'open to anybody who knows its name' : 'for this machine only')
}

/**
 * By which processes join: those that other machines can reach, or else those of this machine. Those for tabs are left out,
 * unless there are no others.
 */
function joinAddresses({ addresses }: Grid): readonly string[] {
  const forProcesses = addresses.filter((address) => !isForTabs(address))
  const candidates = forProcesses.length > 0 ? forProcesses : addresses
  const reachable = candidates.filter((address) => !onlyHere(address))
  return reachable.length > 0 ? reachable : candidates
}

function joinCommand(grid: Grid, address: string, options: PeerOptions): string {
  const secret =
    options.secretFile === undefined
      ? options.open === true
        ? ' --open'
        : ''
      : ` --secret-file ${isCredential(options.secretFile) ? 'FILE' : shellWord(options.secretFile)}`
  return `gossipgrid peer --name ${shellWord(grid.name)}${secret} --join ${address}`
}

/** The address to show: one that other machines can reach, if there is one. */
function nearest(addresses: readonly string[]): string | undefined {
  return addresses.find((address) => !onlyHere(address)) ?? addresses[0]
}

function isForTabs(address: string): boolean {
  return /\/wss?(\/|$)/.test(address) && !address.includes('/p2p-circuit')
}
