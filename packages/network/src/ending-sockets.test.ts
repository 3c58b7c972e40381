import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import type { Listener, MultiaddrConnection, Transport } from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import { multiaddr } from '@multiformats/multiaddr'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { sheltered } from './server-transports.ts'
import { OpenSockets } from './socket-ends.ts'
import { Opcode, encodeHeader } from './web-socket/frames.ts'
import { requestTo } from './web-socket/handshake.ts'
import { webSocketTransport } from './web-socket/transport.ts'

const log = Object.assign(() => undefined, { error: () => undefined, trace: () => undefined })
const logger = { forComponent: () => log }
/** More than all buffers of the kernel between the two. */
const UNREAD_BYTES = 32 * 1024 * 1024

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

/** A listener whose connections send more than is read. */
async function flooding(factory: (components: object) => Transport, end: string): Promise<number> {
  const upgrader = {
    upgradeInbound: (connection: MultiaddrConnection) => {
      connection.addEventListener('message', () => undefined)
      connection.addEventListener('message', () => connection.send(new Uint8Array(UNREAD_BYTES)), { once: true })
      return Promise.resolve()
    },
  }
  const listener: Listener = factory({ logger }).createListener({ upgrader } as never)
  await listener.listen(multiaddr(`/ip4/127.0.0.1/tcp/0${end}`))
  closing.push(() => listener.close())
  return Number(/\/tcp\/(\d+)/.exec(listener.getAddrs()[0]!.toString())?.[1])
}

/** The sockets of this process that another has connected to. */
function accepted(port: number): Socket[] {
  const active = (process as unknown as { _getActiveHandles(): unknown[] })._getActiveHandles()
  return (active as Socket[]).filter(({ localPort, remotePort }) => localPort === port && remotePort !== undefined)
}

async function dial(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  closing.push(() => socket.destroy())
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  return socket
}

async function upgraded(port: number): Promise<Socket> {
  const socket = await dial(port)
  socket.write(requestTo('localhost').request)
  await once(socket, 'data')
  socket.pause()
  return socket
}

function masked(opcode: 2 | 8, payload: Buffer): Buffer {
  return Buffer.concat([encodeHeader(opcode, payload.length, Buffer.alloc(4)), payload])
}

describe('a socket whose other side reads nothing more is over soon, whatever waits to be sent', () => {
  it('when it ends, on TCP', async () => {
    const port = await flooding(sheltered(tcp() as (components: object) => Transport, new OpenSockets()), '')
    const socket = await dial(port)
    socket.pause().end('x')
    await vi.waitFor(() => expect(accepted(port).length).toBe(1))
    await vi.waitFor(() => expect(accepted(port).length).toBe(0), 4000)
  })

  it('when it ends, on a WebSocket', async () => {
    const port = await flooding(
      webSocketTransport(undefined, new OpenSockets()) as (components: object) => Transport,
      '/ws',
    )
    const socket = await upgraded(port)
    expect(accepted(port).length).toBe(1)
    socket.end(masked(Opcode.binary, Buffer.of(1)))
    await vi.waitFor(() => expect(accepted(port).length).toBe(0), 4000)
  })

  it('when it closes a WebSocket, which then costs no more work', async () => {
    const port = await flooding(
      webSocketTransport(undefined, new OpenSockets()) as (components: object) => Transport,
      '/ws',
    )
    const socket = await upgraded(port)
    socket.write(masked(Opcode.binary, Buffer.of(1)))
    await vi.waitFor(() => expect(accepted(port)[0]?.writableLength).toBeGreaterThan(0))
    socket.write(masked(Opcode.close, Buffer.of(3, 232)))
    await vi.waitFor(() => expect(accepted(port).length).toBe(0), 4000)
  })
})
