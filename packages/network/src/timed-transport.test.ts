import type { MultiaddrConnection, Transport, Upgrader } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { DialWindow } from './dial-window.ts'
import { timed } from './timed-transport.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const abortable = async (ms: number, signal: AbortSignal): Promise<void> => {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  setTimeout(resolve, ms)
  signal.addEventListener('abort', () => reject(signal.reason as Error))
  await promise
}

/** Dials over a transport that needs so long to connect and for the handshake, with 3 s for connecting. */
async function dial(
  connectMs: number,
  handshakeMs: number,
  signal: AbortSignal = new AbortController().signal,
): Promise<{ outcome: string; tookMs: number; dialsMax: number }> {
  const window = new DialWindow()
  const transport = {
    dial: async (_address: unknown, options: { signal: AbortSignal; upgrader: Upgrader }) => {
      await abortable(connectMs, options.signal)
      return options.upgrader.upgradeOutbound({} as MultiaddrConnection, { signal: options.signal } as never)
    },
  } as unknown as Transport
  const upgrader = {
    upgradeOutbound: (_connection: unknown, options: { signal: AbortSignal }) => abortable(handshakeMs, options.signal),
  } as unknown as Upgrader
  const startMs = Date.now()
  let outcome = 'running'
  timed(
    () => transport,
    window,
    3000,
  )({})
    .dial(multiaddr('/ip4/127.0.0.1/tcp/1'), { signal, upgrader } as never)
    .then(
      () => (outcome = 'connected'),
      (error: Error) => (outcome = error.message),
    )
  while (outcome === 'running') await vi.advanceTimersByTimeAsync(100)
  return { outcome, tookMs: Date.now() - startMs, dialsMax: window.dialsMax }
}

it('an address that does not answer is given up after the time for connecting', async () => {
  expect(await dial(60_000, 0)).toEqual({ outcome: 'no answer within 3000 ms', tookMs: 3000, dialsMax: 2 })
})

it('a handshake may take longer than connecting, and makes the window smaller then', async () => {
  expect(await dial(100, 20)).toEqual({ outcome: 'connected', tookMs: 200, dialsMax: 3 })
  expect(await dial(2000, 8000)).toEqual({ outcome: 'connected', tookMs: 10_000, dialsMax: 1 })
})

it('a handshake that the dial gives up makes the window smaller as well', async () => {
  const controller = new AbortController()
  setTimeout(() => controller.abort(new Error('too long')), 5000)
  expect(await dial(100, 60_000, controller.signal)).toEqual({ outcome: 'too long', tookMs: 5000, dialsMax: 1 })
})
