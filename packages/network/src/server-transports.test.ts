import { EventEmitter } from 'node:events'
import type { Server } from 'node:net'
import { TypedEventEmitter } from '@libp2p/interface'
import type { Transport } from '@libp2p/interface'
import { mdns } from '@libp2p/mdns'
import { tcp } from '@libp2p/tcp'
import { expect, it } from 'vitest'
import { found } from './server-preset.ts'
import { sheltered } from './server-transports.ts'
import { OpenSockets } from './socket-ends.ts'

const log = Object.assign(() => undefined, { error: () => undefined, trace: () => undefined })
const logger = { forComponent: () => log }

it('a socket that comes while nothing listens is closed, and ends nothing', () => {
  const transport = sheltered(tcp() as (components: object) => Transport, new OpenSockets())({ logger })
  const listener = transport.createListener({ upgrader: {} } as never) as unknown as { readonly server: Server }
  let closed = false
  const socket = Object.assign(new EventEmitter(), { destroy: () => (closed = true) })
  listener.server.emit('connection', socket)
  socket.emit('error', new Error('reset by the other side'))
  expect(closed).toBe(true)
})

it('an error of the socket for mDNS that comes after the end ends nothing', async () => {
  const factory = mdns({ port: 0 }) as Parameters<typeof found>[0]
  const addressManager = { getAddresses: () => [] }
  const discovery = found(
    factory,
    () => undefined,
  )({ logger, addressManager, events: new TypedEventEmitter() } as never)
  const { start, stop } = discovery as unknown as { start(): Promise<void>; stop(): Promise<void> }
  await start.call(discovery)
  const { mdns: socket } = discovery as unknown as { readonly mdns: EventEmitter }
  await stop.call(discovery)
  expect(socket.emit('error', new Error('the port is taken'))).toBe(true)
})

it('the pieces of a message are given to the operating system together', async () => {
  const calls: string[] = []
  const socket = Object.assign(new EventEmitter(), {
    cork: () => calls.push('cork'),
    uncork: () => calls.push('uncork'),
  })
  const connection = { socket, sendData: (pieces: Iterable<Uint8Array>) => calls.push(`${[...pieces].length} pieces`) }
  const factory = (() => ({
    dial: async (_: unknown, { upgrader }: { upgrader: { upgradeOutbound(each: unknown): unknown } }) =>
      upgrader.upgradeOutbound(connection),
    createListener: () => undefined,
  })) as unknown as () => Transport
  await sheltered(
    factory,
    new OpenSockets(),
  )({}).dial(undefined as never, { upgrader: { upgradeOutbound: () => undefined } } as never)
  connection.sendData([new Uint8Array(2), new Uint8Array(28)])
  expect(calls).toEqual(['cork', '2 pieces', 'uncork'])
})
