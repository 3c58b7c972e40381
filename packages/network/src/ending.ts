import type { Connection } from '@libp2p/interface'
import type { Libp2p } from 'libp2p'
import { GridError } from '@gossipgrid/core'
import type { OpenSockets } from './socket-ends.ts'

/** How long connections may take to close in good order. */
export const CLOSE_MAX_MS = 300
/** How long `stopNode` waits for a start that is under way. */
const START_END_MAX_MS = 2000
/** How long libp2p may take to stop. */
const SHUTDOWN_MAX_MS = 1000

/** A time limit is counted in so many pieces. */
const PIECES = 10

/**
 * Calls back after `limitMs`, and later if this process gets little time to run: each piece of the limit ends at the earliest in a
 * turn of its own. Returns what cancels it.
 */
function after(limitMs: number, callback: () => void): () => void {
  let left = PIECES
  const next = (): ReturnType<typeof setTimeout> => setTimeout(tick, limitMs / PIECES)
  const tick = (): void => {
    left -= 1
    if (left > 0) timer = next()
    else callback()
  }
  let timer = next()
  return () => clearTimeout(timer)
}

/** Closes a connection after sending what is queued. Aborts it if that takes longer than `limitMs`. */
export async function closeInOrder(connection: Connection, limitMs: number): Promise<void> {
  const patience = new AbortController()
  const cancel = after(limitMs, () => patience.abort(new Error('it did not close in time')))
  try {
    await connection.close({ signal: patience.signal })
  } catch {
    abort(connection, 'it did not close in time')
  } finally {
    cancel()
  }
}

/** Aborts a connection. libp2p throws if it is closed already; that is ignored. */
export function abort(connection: Connection, text: string): void {
  try {
    connection.abort(new Error(text))
  } catch {
    // It is closed already.
  }
}

/**
 * Makes `abort` of all connections of a node, and of their multiplexers, do nothing where they are closed already. libp2p's connection monitor calls
 * the first where a ping has failed, and the multiplexer the second where data comes just as the connection closes. What they throw then would end the
 * process.
 */
export function forgiveAborts(node: Pick<Libp2p, 'addEventListener'>): void {
  node.addEventListener('connection:open', ({ detail: connection }) => {
    forgive(connection)
    const { muxer } = connection as { readonly muxer?: Pick<Connection, 'abort'> }
    if (muxer !== undefined) forgive(muxer)
  })
}

function forgive(closing: Pick<Connection, 'abort'>): void {
  const abortNow = closing.abort.bind(closing)
  closing.abort = (error) => {
    try {
      abortNow(error)
    } catch {
      // It is closed already.
    }
  }
}

/** `work`, or a rejection with `NETWORK_DIAL_FAILED` when the signal comes first. */
export async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const onAbort = (): void => reject(dialAborted())
  if (signal.aborted) onAbort()
  signal.addEventListener('abort', onAbort)
  try {
    return await Promise.race([work, promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

export function dialAborted(): GridError {
  return new GridError('NETWORK_DIAL_FAILED', 'dialling was aborted')
}

export function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** Waits for `work`, but no longer than `limitMs`. */
export async function atMost(limitMs: number, work: Promise<unknown>): Promise<void> {
  let cancel: (() => void) | undefined
  const limit = new Promise<void>((resolve) => (cancel = after(limitMs, resolve)))
  await Promise.race([work.catch(() => undefined), limit])
  cancel?.()
}

/** A part of libp2p below its public type: it records the addresses of a node a second after they have changed. */
interface Internals {
  readonly components: {
    readonly addressManager: { _updatePeerStoreAddresses: (() => void) & { stop?: () => void } }
  }
}

/** A node that stops closes its listeners, so its addresses change. libp2p would keep the process alive until it has recorded that. */
function leaveAddresses(node: Libp2p): void {
  const { addressManager } = (node as unknown as Internals).components
  addressManager._updatePeerStoreAddresses.stop?.()
  addressManager._updatePeerStoreAddresses = () => undefined
}

/**
 * Closes the connections of a node and stops it, or gives up after some seconds. Afterwards nothing of the node keeps the process
 * alive. `starting` is the start of the node, if it was started.
 */
export async function stopNode(
  node: Libp2p,
  sockets: OpenSockets,
  starting: Promise<void> = Promise.resolve(),
): Promise<void> {
  await atMost(
    CLOSE_MAX_MS,
    Promise.all(node.getConnections().map((connection) => closeInOrder(connection, CLOSE_MAX_MS))),
  )
  // A node that is starting ignores `stop`, so wait for the start first.
  await atMost(START_END_MAX_MS, starting)
  const stop = (): Promise<void> => {
    leaveAddresses(node)
    return Promise.resolve(node.stop())
  }
  await atMost(SHUTDOWN_MAX_MS, starting.then(stop, stop))
  sockets.destroy()
}
