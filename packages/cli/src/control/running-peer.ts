import { createHash } from 'node:crypto'
import { lstatSync, readdirSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { dirname, join, resolve } from 'node:path'
import { CliError } from '../cli-error.ts'
import { readAtMost } from '../files/read-at-most.ts'
import { writeWholeFile } from '../files/whole-file.ts'
import { shellWord } from '../terminal/shell-word.ts'
import { visible } from '../terminal/visible.ts'
import { SOCKET_PATH_MAX_BYTES, runtimeDirectories, trusted } from './runtime-directory.ts'
import type { Environment } from './runtime-directory.ts'

/** The record that a running peer writes beside its socket, so that commands find it. */
export interface RunningPeer {
  readonly socket: string
  readonly pid: number
  readonly name: string
  readonly peerId: string
  /** Its data directory, or '' when it keeps everything in memory. */
  readonly directory: string
  readonly startedAt: string
}

/** How a command selects a peer. */
export interface PeerChoice {
  readonly name?: string | undefined
  /** The whole peer id, or its beginning or end. */
  readonly peer?: string | undefined
  readonly socket?: string | undefined
}

/** The last characters of a peer id: the first ones are the same for all. */
export function shortId(peerId: string): string {
  return peerId.slice(-8)
}

/** The default path of a peer's socket. Throws `SOCKET` where the directory's path is too long for it. */
export function socketPath(directory: string, name: string, peerId: string): string {
  const hash = createHash('sha256').update(`${name}\n${peerId}`).digest('hex').slice(0, 8)
  const readable = name.replaceAll(/[^\w.-]/g, '_').slice(0, 24)
  if (process.platform === 'win32') return `\\\\.\\pipe\\gossipgrid-${readable}-${hash}-${shortId(peerId)}`
  const paths = [`${readable}-${hash.slice(0, 4)}-${shortId(peerId)}.sock`, `${hash}.sock`]
  const fitting = paths.map((file) => join(directory, file)).find(fits)
  if (fitting !== undefined) return fitting
  throw tooLong(join(directory, paths[1]!))
}

/** Throws `SOCKET` for a path that is longer than systems allow. */
export function checkSocketPath(path: string): void {
  if (process.platform !== 'win32' && !fits(path)) throw tooLong(path)
}

function fits(path: string): boolean {
  return Buffer.byteLength(path) <= SOCKET_PATH_MAX_BYTES
}

function tooLong(path: string): CliError {
  return new CliError(
    'SOCKET',
    `the path of a socket has at most ${SOCKET_PATH_MAX_BYTES} bytes: ${path}`,
    'Give a shorter one with --socket PATH.',
  )
}

/** Matches the names that `socketPath` and `recordPath` make: other files in the directory must not be removed. */
const RECORD = process.platform === 'win32' ? /^gossipgrid-.*\.json$/ : /\.sock\.json$/

/** Enough for a name, a peer id, and two paths. */
const RECORD_MAX_BYTES = 64 * 1024

/** The path of the peer's record. A named pipe has no directory of its own. */
function recordPath(socket: string, directory: string): string {
  return process.platform === 'win32' ? join(directory, `${socket.split('\\').at(-1)}.json`) : `${socket}.json`
}

/**
 * Writes the record by which commands find the peer. Returns a function that removes it. Commands look only in the
 * runtime directories, so a socket elsewhere gets no record.
 */
export function announce(peer: RunningPeer, directory: string, environment: Environment = process.env): () => void {
  const path = recordPath(peer.socket, directory)
  const lookedIn = runtimeDirectories(environment).some((one) => resolve(one) === dirname(resolve(path)))
  if (!lookedIn) return () => undefined
  writeWholeFile(path, `${JSON.stringify(peer)}\n`, { mode: 0o600 })
  return () => rmSync(path, { force: true })
}

/** This user's running peers on this machine. Also removes the remains of killed peers. */
export function runningPeers(environment: Environment = process.env): RunningPeer[] {
  const found = runtimeDirectories(environment).filter(trusted).flatMap(peersIn)
  return found.toSorted((a, b) => a.name.localeCompare(b.name) || a.peerId.localeCompare(b.peerId))
}

function peersIn(directory: string): RunningPeer[] {
  const peers: RunningPeer[] = []
  for (const file of readdirSync(directory)) {
    if (!file.endsWith('.json')) continue
    const path = join(directory, file)
    // Reading a pipe would wait for ever.
    if (lstatSync(path, { throwIfNoEntry: false })?.isFile() !== true) continue
    const peer = readRecord(path)
    if (peer !== undefined && alive(peer.pid)) peers.push(peer)
    else if (peer !== undefined) forget(peer, directory)
    else if (RECORD.test(file)) rmSync(path, { force: true })
  }
  return peers
}

/** Removes the remains of a peer that has ended, and nothing outside of the directory. */
function forget({ socket }: RunningPeer, directory: string): void {
  const record = recordPath(socket, directory)
  if (dirname(record) === directory) rmSync(record, { force: true })
  if (process.platform === 'win32' || dirname(socket) !== directory) return
  if (lstatSync(socket, { throwIfNoEntry: false })?.isSocket() === true) rmSync(socket, { force: true })
}

/** Removes the remains of earlier processes with this one's id: in a container the id is the same after every start. */
export function forgetPredecessors(directory: string): void {
  for (const peer of peersIn(directory)) if (peer.pid === process.pid) forget(peer, directory)
}

/** True where a process listens on the socket. */
export function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const trial = connect(socket)
    trial.once('connect', () => {
      trial.destroy()
      resolve(true)
    })
    trial.once('error', () => resolve(false))
  })
}

function readRecord(path: string): RunningPeer | undefined {
  try {
    const peer = JSON.parse(readAtMost(path, RECORD_MAX_BYTES).toString()) as RunningPeer
    const { pid, socket, name, peerId, directory } = peer
    const texts = [socket, name, peerId, directory].every((text) => typeof text === 'string')
    return texts && Number.isInteger(pid) && pid > 0 ? peer : undefined
  } catch {
    return undefined
  }
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: the process exists and belongs to another user.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** The socket of the selected peer. Rejects with `NO_PEER` or `SEVERAL_PEERS`, and lists the running ones. */
export async function choosePeer(choice: PeerChoice, environment: Environment = process.env): Promise<string> {
  const socket = choice.socket ?? environment['GOSSIPGRID_SOCKET'] ?? ''
  if (socket !== '') return socket
  const peers = runningPeers(environment)
  const named = peers.filter(
    ({ name, peerId }) =>
      (choice.name === undefined || name === choice.name) &&
      (choice.peer === undefined || peerId.endsWith(choice.peer) || peerId.startsWith(choice.peer)),
  )
  if (named.length === 1) return named[0]!.socket
  // Another process may have the id of a killed one by now: only peers that answer count.
  const answering = await Promise.all(named.map((peer) => answers(peer.socket)))
  const meant = named.filter((_, i) => answering[i])
  if (meant.length === 1) return meant[0]!.socket
  if (meant.length > 1) {
    throw new CliError(
      'SEVERAL_PEERS',
      `${meant.length} peers run here, and it is not clear which one you mean:\n${listed(meant)}`,
      `Choose one, as with ${telling(meant)}.`,
    )
  }
  if (peers.length > 0 && named.length === 0) {
    throw new CliError('NO_PEER', `no such peer runs here. There are:\n${listed(peers)}`, 'Check --name and --peer.')
  }
  const wanted = choice.name ?? 'demo'
  throw new CliError(
    'NO_PEER',
    'no peer of yours runs on this machine',
    `Start one with: gossipgrid peer --name ${shellWord(wanted)} --data ${shellWord(`./${wanted}-data`)}`,
  )
}

/** The option that tells the first of these peers from the others: the name, if it is the only one of that name. */
function telling(peers: readonly RunningPeer[]): string {
  const [{ name, peerId }] = peers as [RunningPeer]
  const isOnly = peers.filter((peer) => peer.name === name).length === 1
  return isOnly ? `--name ${shellWord(visible(name))}` : `--peer ${shortId(peerId)}`
}

function listed(peers: readonly RunningPeer[]): string {
  return peers
    .map(({ name, peerId, pid, directory }) => {
      const where = directory === '' ? 'in memory' : visible(directory)
      return `  --name ${shellWord(visible(name))} --peer ${shortId(peerId)}   pid ${pid}, ${where}`
    })
    .join('\n')
}
