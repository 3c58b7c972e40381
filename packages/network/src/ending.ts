import type { Connection } from '@libp2p/interface'
import type { Libp2p } from 'libp2p'
import { GridError } from '@gossipgrid/core'

/** What ending a node allows for its connections to close in good order, for a start that is under way, and for the rest. */
export const CLOSE_MAX_MS = 300
const START_END_MAX_MS = 2000
const SHUTDOWN_MAX_MS = 1000

/** Closes a connection with what is on its way, or within `limitMs` without it. */
export async function closeInOrder(connection: Connection, limitMs: number): Promise<void> {
  try {
    await connection.close({ signal: AbortSignal.timeout(limitMs) })
  } catch {
    abort(connection, 'it did not close in time')
  }
}

/** libp2p throws when it has to abort what is closed already. */
export function abort(connection: Connection, text: string): void {
  try {
    connection.abort(new Error(text))
  } catch {
    // Closed is what it should be.
  }
}

/** `work`, or a rejection with `NETWORK_DIAL_FAILED` when the signal comes first. */
export async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const give = (): void => reject(dialAborted())
  if (signal.aborted) give()
  signal.addEventListener('abort', give)
  try {
    return await Promise.race([work, promise])
  } finally {
    signal.removeEventListener('abort', give)
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
  let timer: ReturnType<typeof setTimeout> | undefined
  const limit = new Promise<void>((resolve) => (timer = setTimeout(resolve, limitMs)))
  await Promise.race([work.catch(() => undefined), limit])
  clearTimeout(timer)
}

/** Closes the connections of a node and stops it, or gives up after some seconds. `starting`: its start, where there was one. */
export async function stopNode(node: Libp2p, starting: Promise<void> = Promise.resolve()): Promise<void> {
  await atMost(
    CLOSE_MAX_MS,
    Promise.all(node.getConnections().map((connection) => closeInOrder(connection, CLOSE_MAX_MS))),
  )
  // A node that starts passes over being stopped, so its start comes to an end before.
  await atMost(START_END_MAX_MS, starting)
  const stop = (): Promise<void> => Promise.resolve(node.stop())
  await atMost(SHUTDOWN_MAX_MS, starting.then(stop, stop))
}
