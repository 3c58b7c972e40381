import type { MultiaddrConnection, StreamMuxerFactory, Transport, Upgrader } from '@libp2p/interface'
import { Allowance, Cost } from './allowance.ts'
import { GreetingCheck } from './greeting.ts'
import { guardedMuxer } from './guarded-muxer.ts'
import type { Bytes } from './guarded-muxer.ts'
import type { Newcomer, Newcomers } from './newcomers.ts'

/**
 * The same transport, whose connections cost bounded work and memory until the other side has shown its proof, in both
 * directions. It stands between the sockets and libp2p. libp2p sees no byte that is not charged, and no inbound connection
 * without the greeting.
 */
export function guarded<C>(factory: (components: C) => Transport, newcomers: Newcomers): (components: C) => Transport {
  return (components) => {
    const transport = factory(components)
    const dial = transport.dial.bind(transport)
    transport.dial = (address, options) =>
      dial(address, { ...options, upgrader: guardedUpgrader(options.upgrader, newcomers) })
    const createListener = transport.createListener.bind(transport)
    transport.createListener = (options) =>
      createListener({ ...options, upgrader: guardedUpgrader(options.upgrader, newcomers) })
    return transport
  }
}

/** The options of an upgrade that are used here. */
interface Options {
  readonly skipEncryption?: boolean | undefined
  readonly muxerFactory?: StreamMuxerFactory | undefined
}

/** For transports that use the upgrader among their components. */
export function withGuardedUpgrader<C extends { readonly upgrader: Upgrader }>(components: C, newcomers: Newcomers): C {
  return Object.create(components, { upgrader: { value: guardedUpgrader(components.upgrader, newcomers) } }) as C
}

function guardedUpgrader(upgrader: Upgrader, newcomers: Newcomers): Upgrader {
  const guarding: Upgrader = Object.create(upgrader)
  guarding.upgradeInbound = async (connection, options) => {
    const { newcomer, greeted, muxerFactory } = guard(connection, options as Options, upgrader, newcomers)
    await greeted
    newcomer?.advance('greeted')
    await upgrader.upgradeInbound(connection, { ...options, muxerFactory })
    newcomer?.advance('encrypted')
  }
  guarding.upgradeOutbound = (async (connection: MultiaddrConnection, options: Options) => {
    const { greeted, muxerFactory } = guard(connection, options, upgrader, newcomers)
    greeted.catch(() => undefined)
    return upgrader.upgradeOutbound(connection, { ...options, muxerFactory } as never)
  }) as Upgrader['upgradeOutbound']
  return guarding
}

interface Receiving {
  onData(bytes: Bytes): void
  /** It passes on nothing once for each read from its socket, before the payloads that came with it. */
  readonly reportsReads?: true
}

interface Guarded {
  readonly newcomer: Newcomer | undefined
  /** Resolves when the greeting is complete. Rejects if the connection ends before. */
  readonly greeted: Promise<void>
  /** Both sides have only this multiplexer, so they need no agreement. */
  readonly muxerFactory: StreamMuxerFactory
}

function guard(connection: MultiaddrConnection, options: Options, upgrader: Upgrader, newcomers: Newcomers): Guarded {
  const allowance = new Allowance()
  const newcomer = newcomers.add(connection, allowance)
  const { promise: greeted, resolve, reject } = Promise.withResolvers<void>()
  const greeting = options.skipEncryption === true ? undefined : new GreetingCheck()
  const receiving = connection as unknown as Receiving
  const onData = receiving.onData.bind(connection)
  receiving.onData = (bytes) => {
    try {
      const isRead = bytes.byteLength === 0 || receiving.reportsReads !== true
      allowance.charge((isRead ? Cost.read : Cost.payload) + Cost.byte * bytes.byteLength)
      if (greeting?.complete === false) greeting.read(bytes.subarray())
    } catch (error) {
      connection.abort(error as Error)
      return
    }
    onData(bytes)
    if (greeting?.complete !== false) resolve()
  }
  connection.addEventListener('close', () => reject(new Error('it closed before it had greeted')))
  if (greeting === undefined) resolve()
  const [muxerFactory] =
    options.muxerFactory === undefined ? upgrader.getStreamMuxers().values() : [options.muxerFactory]
  return { newcomer, greeted, muxerFactory: guardedMuxer(muxerFactory as StreamMuxerFactory, allowance) }
}
