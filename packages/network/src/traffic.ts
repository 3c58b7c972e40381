import type { Connection, Listener, MultiaddrConnection, Transport, Upgrader } from '@libp2p/interface'

/** Bytes that crossed the sockets of one peer since its start, encryption and multiplexing included. */
export interface Traffic {
  sentBytes: number
  receivedBytes: number
}

/** Bytes received by connection, of those that are counted. */
const received = new WeakMap<object, number>()

/** How many bytes a connection has received; undefined if its transport does not count them. */
export function receivedBytes(connection: Connection): number | undefined {
  // A connection of libp2p has the connection below it in this field, which its type hides.
  const { maConn } = connection as unknown as { readonly maConn: MultiaddrConnection }
  return received.get(maConn)
}

/**
 * The same transport, which counts the bytes of its connections. It wraps the upgrader: every new connection passes through it,
 * and it is the one place below the encryption that all transports share.
 */
export function counted<C>(factory: (components: C) => Transport, traffic: Traffic): (components: C) => Transport {
  return (components) => {
    const transport = factory(components)
    const dial = transport.dial.bind(transport)
    transport.dial = (address, options) =>
      dial(address, { ...options, upgrader: countingUpgrader(options.upgrader, traffic) })
    const createListener = transport.createListener.bind(transport)
    transport.createListener = (options): Listener =>
      createListener({ ...options, upgrader: countingUpgrader(options.upgrader, traffic) })
    return transport
  }
}

function countingUpgrader(upgrader: Upgrader, traffic: Traffic): Upgrader {
  const counting: Upgrader = Object.create(upgrader)
  counting.upgradeInbound = (connection, options) => upgrader.upgradeInbound(count(connection, traffic), options)
  counting.upgradeOutbound = ((connection: MultiaddrConnection, options: never) =>
    upgrader.upgradeOutbound(count(connection, traffic), options)) as Upgrader['upgradeOutbound']
  return counting
}

/** Where a connection receives its bytes; not part of its public type. */
interface Receiving {
  onData(bytes: { readonly byteLength: number }): void
}

/** A 'message' listener could count what is received, but adding one early makes a connection emit and lose bytes. */
function count(connection: MultiaddrConnection, traffic: Traffic): MultiaddrConnection {
  const send = connection.send.bind(connection)
  connection.send = (bytes) => {
    traffic.sentBytes += bytes.byteLength
    return send(bytes)
  }
  const receiving = connection as unknown as Receiving
  const onData = receiving.onData.bind(connection)
  let connectionBytes = 0
  received.set(connection, 0)
  receiving.onData = (bytes) => {
    traffic.receivedBytes += bytes.byteLength
    connectionBytes += bytes.byteLength
    received.set(connection, connectionBytes)
    onData(bytes)
  }
  return connection
}
