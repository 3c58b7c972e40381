import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { multiaddr } from '@multiformats/multiaddr'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { rawPeer } from '../raw-peer.ts'
import type { RawPeer } from '../raw-peer.ts'
import { delay } from '../ending.ts'
import { Opcode, encodeHeader } from '../web-socket/frames.ts'
import { requestTo } from '../web-socket/handshake.ts'
import { GREETING } from '../strangers/greeting.ts'
import { FRAME_ATTACKS, HEAD_ATTACKS, PORT_ATTACKS, seeded } from './hostile-bytes.ts'
import { STREAM_ATTACKS, sendInStreams } from './hostile-streams.ts'
import { TrialPeer, RUNTIMES } from './trial-peer.ts'
import type { Use } from './trial-peer.ts'

/** Strangers of one kind; what one of them costs is the mean. */
const STRANGERS = 3
/** One may cost 10 ms. The rest is room for a runtime that still compiles, and for reads on Deno, which cost twice as much. */
const CPU_MAX_MS = 15
/** A busy machine takes longer for everything. So a stranger may also cost this many times what an honest one costs just then. */
const HONEST_TIMES_MAX = 2
/** What an honest one may cost, with its cryptography and identify, on a machine however busy. */
const HONEST_MAX_MS = 130
const TRIES_MAX = 8
const HEAP_MAX_BYTES = STRANGERS * 1024 * 1024
const STAY_MAX_MS = 300

const ONE_BYTE = (byte: number): Buffer =>
  Buffer.concat([encodeHeader(Opcode.binary, 1, Buffer.alloc(4)), Buffer.of(byte)])

/** What is harmless in one piece, and costs a read for each byte when a stranger sends each alone. */
const DRIPS: Readonly<Record<string, { readonly before: string; readonly bytes: Buffer }>> = {
  'a greeting and a handshake': { before: '', bytes: Buffer.concat([GREETING, Buffer.alloc(4000, 0x7f)]) },
  'a request for a WebSocket': { before: '', bytes: Buffer.from(`GET / HTTP/1.1\r\na: ${'b'.repeat(4000)}`) },
  'frames in a WebSocket': {
    before: requestTo('localhost').request,
    bytes: Buffer.concat([...GREETING, ...Buffer.alloc(500, 0x7f)].map(ONE_BYTE)),
  },
  'pings in a WebSocket': {
    before: requestTo('localhost').request,
    bytes: Buffer.concat(
      Array.from({ length: 30 }, () =>
        Buffer.concat([encodeHeader(Opcode.ping, 125, Buffer.alloc(4)), Buffer.alloc(125)]),
      ),
    ),
  },
}

function opened(port: number): Socket {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  socket.on('data', () => undefined)
  return socket
}

async function over(socket: Socket): Promise<void> {
  const timer = setTimeout(() => socket.destroy(), STAY_MAX_MS)
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve))
  clearTimeout(timer)
}

describe.each(RUNTIMES)('on %s a stranger costs little, whatever it sends', (runtime, command) => {
  let peer: TrialPeer
  let stranger: RawPeer
  let [tcp, tcpPort, wsPort] = ['', 0, 0]
  const random = seeded(1)
  const figures: string[] = []

  beforeAll(async () => {
    peer = new TrialPeer(command)
    stranger = await rawPeer('/nothing/1')
    const { addresses } = await peer.ask<Use>('use')
    tcp = addresses.find((address) => !address.includes('/ws')) as string
    const portOf = (address: string): number => Number(/\/tcp\/(\d+)/.exec(address)?.[1])
    tcpPort = portOf(tcp)
    wsPort = portOf(addresses.find((address) => address.includes('/ws')) as string)
    // What is used for the first time costs more.
    for (let i = 0; i < 10; i += 1) await inStreams('a flood of pings')
  })
  afterAll(async () => {
    await stranger.node.stop()
    await peer.end()
    if (process.env['STRANGER_FIGURES'] !== undefined) console.log(`${runtime}\n${figures.join('\n')}`)
  })

  async function costs(kind: string, attack: () => Promise<unknown>): Promise<void> {
    let maxMs = CPU_MAX_MS
    let cpuMs = Infinity
    // What other programs on the machine take from its caches counts as well: the least of a few is nearest to what it costs.
    for (let tries = 0; tries < TRIES_MAX && cpuMs >= maxMs; tries += 1) {
      cpuMs = Math.min(cpuMs, await measured(kind, attack))
      if (cpuMs >= maxMs) maxMs = Math.max(maxMs, HONEST_TIMES_MAX * (await honest()))
    }
    expect(cpuMs).toBeLessThan(maxMs)
  }

  async function honest(): Promise<number> {
    const cpuMs = await measured('nothing, encrypted', () => inStreams('nothing'))
    expect(cpuMs).toBeLessThan(HONEST_MAX_MS)
    return cpuMs
  }

  async function measured(kind: string, attack: () => Promise<unknown>): Promise<number> {
    const before = await peer.ask<Use>('use')
    for (let i = 0; i < STRANGERS; i += 1) await attack()
    const after = await peer.ask<Use>('use')
    const cpuMs = after.cpuMs / STRANGERS
    figures.push(`${cpuMs.toFixed(1)} ms, ${Math.round((after.heapBytes - before.heapBytes) / 1024)} KiB: ${kind}`)
    expect(after.heapBytes - before.heapBytes).toBeLessThan(HEAP_MAX_BYTES)
    return cpuMs
  }

  async function inStreams(attack: string): Promise<void> {
    const connection = await stranger.node.dial(multiaddr(tcp))
    const closed = new Promise((resolve) => connection.addEventListener('close', resolve))
    sendInStreams(connection, attack)
    const timer = setTimeout(() => connection.abort(new Error('enough')), attack === 'nothing' ? 50 : STAY_MAX_MS)
    if (connection.status === 'open') await closed
    clearTimeout(timer)
  }

  it.each(Object.keys(PORT_ATTACKS))('%s', async (attack) => {
    await costs(attack, async () => {
      const socket = opened(tcpPort)
      socket.write(PORT_ATTACKS[attack]!(random))
      await over(socket)
    })
  })

  it.each(Object.keys(HEAD_ATTACKS))('%s instead of a request for a WebSocket', async (attack) => {
    await costs(`${attack}, to the WebSocket port`, async () => {
      const socket = opened(wsPort)
      socket.write(HEAD_ATTACKS[attack]!(random))
      await over(socket)
    })
  })

  it.each(Object.keys(FRAME_ATTACKS))('%s in a WebSocket', async (attack) => {
    await costs(`${attack}, in a WebSocket`, async () => {
      const socket = opened(wsPort)
      socket.write(requestTo('localhost').request)
      await Promise.race([once(socket, 'data'), once(socket, 'close')])
      socket.write(FRAME_ATTACKS[attack]!(random, true))
      await over(socket)
    })
  })

  it.each(Object.keys(DRIPS))('%s, each byte alone', async (attack) => {
    const { before, bytes } = DRIPS[attack]!
    const drip = async (): Promise<void> => {
      const socket = opened(attack.includes('WebSocket') ? wsPort : tcpPort)
      socket.setNoDelay()
      socket.write(before)
      if (before.length > 0) await Promise.race([once(socket, 'data'), once(socket, 'close')])
      for (let at = 0; at < bytes.length && !socket.destroyed; at += 1) {
        socket.write(bytes.subarray(at, at + 1))
        await delay(1)
      }
      expect(socket.destroyed, 'it is refused before the end').toBe(true)
    }
    await costs(`${attack}, each byte alone`, drip)
  })

  it.each(Object.keys(PORT_ATTACKS))('%s, answered to a peer that dials', async (attack) => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.on('data', () => undefined)
      socket.write(PORT_ATTACKS[attack]!(random))
      void over(socket)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    await costs(`${attack}, dialled`, () => peer.ask(`dial /ip4/127.0.0.1/tcp/${port}`))
    server.close()
  })

  it.each(Object.keys(STREAM_ATTACKS))('%s on an encrypted connection', async (attack) => {
    await costs(`${attack}, encrypted`, () => inStreams(attack))
  })
})
