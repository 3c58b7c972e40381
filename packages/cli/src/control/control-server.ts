import { chmodSync, lstatSync, rmSync } from 'node:fs'
import type { Server } from 'node:http'
import { createAdaptorServer } from '@hono/node-server'
import type { Grid } from 'gossipgrid'
import { CliError, errorText, systemCode } from '../cli-error.ts'
import { controlRoutes } from './control-routes.ts'
import type { PeerFacts } from './control-routes.ts'
import { addPassRoutes } from './guests/pass-routes.ts'
import { endLine, streamed } from './ndjson.ts'
import { addLeaveRoutes } from './partitioned/leave-routes.ts'
import { announce, answers, checkSocketPath, forgetPredecessors, socketPath } from './running-peer.ts'
import { makeRuntimeDirectory } from './runtime-directory.ts'
import type { Environment } from './runtime-directory.ts'

/** How long closing waits for calls under way: a write waits for the disk. */
const CLOSE_MAX_MS = 5000

/** The socket at which commands call a running peer. */
export interface ControlServer {
  readonly socket: string
  /** Accepts no more calls, ends streams, and waits for calls under way, at most 5 s. */
  close(): Promise<void>
}

export interface ControlServerOptions {
  readonly grid: Grid
  /** The path of the socket; by default one in the user's runtime directory. */
  readonly socket?: string | undefined
  readonly facts: Omit<PeerFacts, 'socket'>
  readonly environment?: Environment
  /** Called when the peer has left the grid, as a command wanted. */
  readonly left?: () => void
}

/** Answers commands on a local socket that only this user can open. Throws `SOCKET`. */
export async function serveControl(options: ControlServerOptions): Promise<ControlServer> {
  const { grid, socket, facts, environment = process.env, left = () => undefined } = options
  const directory = socket === undefined || process.platform === 'win32' ? makeRuntimeDirectory(environment) : ''
  const path = socket ?? socketPath(directory, grid.name, grid.peerId)
  checkSocketPath(path)
  if (directory !== '') forgetPredecessors(directory)
  await removeStale(path)
  const closing = new AbortController()
  const routes = controlRoutes(grid, { ...facts, socket: path }, closing.signal)
  addPassRoutes(routes, grid)
  addLeaveRoutes(routes, grid, { closing: closing.signal, left, streams: { endLine, streamed } })
  const server = createAdaptorServer({ fetch: routes.fetch, overrideGlobalObjects: false }) as Server
  // A command that was stopped (Ctrl-Z), or got no processor for some seconds, would find its connection closed.
  server.keepAliveTimeout = 0
  // A server emits an error when it cannot accept a connection, for example without file descriptors, and continues.
  server.on('error', () => undefined)
  await listen(server, path)
  const { pid, directory: dataDirectory } = facts
  const startedAt = new Date().toISOString()
  const peer = { socket: path, pid, name: grid.name, peerId: grid.peerId, directory: dataDirectory, startedAt }
  let withdraw: () => void
  try {
    // Until then the peer's umask protects the socket.
    if (process.platform !== 'win32') chmodSync(path, 0o600)
    withdraw = announce(peer, directory, environment)
  } catch (error) {
    server.close()
    throw notMade(path, error)
  }
  return {
    socket: path,
    close: async () => {
      withdraw()
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      closing.abort()
      server.closeIdleConnections()
      const patience = setTimeout(() => server.closeAllConnections(), CLOSE_MAX_MS)
      await closed
      clearTimeout(patience)
    },
  }
}

async function listen(server: Server, path: string): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(path, resolve)
    })
  } catch (error) {
    throw notMade(path, error)
  }
}

function notMade(path: string, cause: unknown): CliError {
  return new CliError('SOCKET', `no socket can be made at ${path}: ${errorText(cause)}`, 'Choose another --socket.', {
    cause,
  })
}

/** A peer that was killed leaves its socket behind. */
async function removeStale(path: string): Promise<void> {
  if (process.platform === 'win32') return
  try {
    if (!lstatSync(path).isSocket()) throw new CliError('SOCKET', `${path} is no socket`, 'Choose another --socket.')
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return
    throw error instanceof CliError ? error : notMade(path, error)
  }
  if (await answers(path)) {
    throw new CliError(
      'SOCKET',
      `another peer has its socket at ${path}`,
      'Choose another --socket, or close that peer.',
    )
  }
  try {
    rmSync(path, { force: true })
  } catch (error) {
    throw notMade(path, error)
  }
}
