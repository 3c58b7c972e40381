import { TimeoutError } from '@libp2p/interface'
import type { MultiaddrConnection, Transport, Upgrader } from '@libp2p/interface'
import type { DialWindow } from './dial-window.ts'

/**
 * The same transport, with one time limit for reaching an address and none for the handshake that follows: many addresses of
 * a peer belong to other networks and never answer, but a peer that has answered and is slow is worth waiting for.
 * How long handshakes take is recorded in `window`.
 */
export function timed<C>(
  factory: (components: C) => Transport,
  window: DialWindow,
  connectMaxMs: number,
): (components: C) => Transport {
  return (components) => {
    const transport = factory(components)
    const dial = transport.dial.bind(transport)
    transport.dial = async (address, options) => {
      const connecting = new AbortController()
      const giveUp = (): void => connecting.abort(new TimeoutError(`no answer within ${connectMaxMs} ms`))
      const timer = setTimeout(giveUp, connectMaxMs)
      const upgrader = timingUpgrader(options.upgrader, window, () => clearTimeout(timer))
      try {
        return await dial(address, {
          ...options,
          upgrader,
          signal: AbortSignal.any([options.signal, connecting.signal]),
        })
      } finally {
        clearTimeout(timer)
      }
    }
    return transport
  }
}

function timingUpgrader(upgrader: Upgrader, window: DialWindow, onConnected: () => void): Upgrader {
  const timing: Upgrader = Object.create(upgrader)
  timing.upgradeOutbound = (async (connection: MultiaddrConnection, options: { readonly signal: AbortSignal }) => {
    onConnected()
    const startMs = performance.now()
    const record = (): void => window.recordHandshake(performance.now() - startMs)
    try {
      const upgraded = await upgrader.upgradeOutbound(connection, options as never)
      record()
      return upgraded
    } catch (error) {
      // One that the other side refuses says nothing about how busy the machine is.
      if (options.signal.aborted) record()
      throw error
    }
  }) as Upgrader['upgradeOutbound']
  return timing
}
