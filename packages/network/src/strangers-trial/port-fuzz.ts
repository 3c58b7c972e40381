import { connect, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import type { Connection } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import type { PeerId } from '@gossipgrid/core'
import { deriveChannel } from '../channel.ts'
import { abort, delay } from '../ending.ts'
import { libp2pNetwork } from '../libp2p-network.ts'
import type { Libp2pNetwork } from '../libp2p-port.ts'
import { rawPeer } from '../raw-peer.ts'
import type { RawPeer } from '../raw-peer.ts'
import { HeadReader, answerTo, requestTo } from '../web-socket/handshake.ts'
import { frameAttack, headAttack, seeded, streamAttack } from './hostile-bytes.ts'
import type { Attack, Random } from './hostile-bytes.ts'
import { sendAnyInStreams } from './hostile-streams.ts'

/** How long one stranger may stay: those that are let wait would make a run last for hours. */
const STAY_MAX_MS = 300
const FRIEND_WAIT_MAX_MS = 60_000
/** Strangers at once. */
const PARALLEL = 6

export interface PortFuzzFigures {
  readonly seed: number
  readonly attacks: number
  /** Dials of a hostile address that reported a neighbour; none should. */
  readonly wronglyReached: number
  /** Messages of a true peer that came through meanwhile. */
  readonly served: number
  readonly heapGrownBytes: number
  readonly cpuMs: number
}

export interface PortFuzzOptions {
  readonly seed: number
  /** Asked after each round of strangers. */
  readonly enough: (attacks: number) => boolean
}

/**
 * For tests: a peer with open ports, strangers that send it what a seed says, on both ports and as servers that it dials, and
 * one true peer that is served all the while. Rejects when that one is not served; an uncaught error ends the process.
 */
export async function fuzzPorts({ seed, enough }: PortFuzzOptions): Promise<PortFuzzFigures> {
  const random = seeded(seed)
  const received: number[] = []
  const peer = await open([], (bytes) => received.push(bytes[0] as number))
  const addressOf = (end: string): string => peer.addresses().find((address) => address.includes(end)) as string
  const friend = await open([addressOf('/ws/')], () => undefined)
  const tcpAddress = peer.addresses().find((address) => !address.includes('/ws')) as string
  const [tcpPort, wsPort] = [portOf(tcpAddress), portOf(addressOf('/ws/'))]
  const servers = await hostileServers(random)
  const stranger = await rawPeer('/nothing/1')
  let [attacks, wronglyReached, served] = [0, 0, 0]
  let startBytes = 0
  const startCpu = process.cpuUsage()
  do {
    const attackOnce = async (): Promise<void> => {
      const kind = Math.floor(random() * 6)
      if (kind === 0) await attack(connect(tcpPort, '127.0.0.1'), streamAttack(random), random)
      if (kind === 1) await attack(connect(wsPort, '127.0.0.1'), headAttack(random), random)
      if (kind === 2) await attackInWebSocket(connect(wsPort, '127.0.0.1'), random)
      if (kind === 5) await attackInStreams(stranger, tcpAddress, random)
      if (kind === 3 || kind === 4)
        wronglyReached += await dial(peer, servers[kind - 3] as Server, kind === 3 ? '' : '/ws')
      attacks += 1
    }
    await Promise.all(Array.from({ length: PARALLEL }, attackOnce))
    served += 1
    await serve(friend, peer.peerId, served & 0xff, received)
    if (startBytes === 0 && attacks >= 10 * PARALLEL) startBytes = heapBytes()
  } while (!enough(attacks))
  const cpu = process.cpuUsage(startCpu)
  for (const server of servers) server.close()
  const heapGrownBytes = startBytes === 0 ? 0 : heapBytes() - startBytes
  await Promise.all([peer.stop(), friend.stop(), stranger.node.stop()])
  return {
    seed,
    attacks,
    wronglyReached,
    served,
    heapGrownBytes,
    cpuMs: Math.round((cpu.user + cpu.system) / 1000),
  }
}

async function open(join: readonly string[], onMessage: (bytes: Uint8Array) => void): Promise<Libp2pNetwork> {
  const channels = [await deriveChannel('ports', 'a secret that no stranger has')]
  const listen = ['/ip4/127.0.0.1/tcp/0', '/ip4/127.0.0.1/tcp/0/ws']
  const network = await libp2pNetwork({ channels, listen, join, mdns: false })
  await network.start({
    connected: () => undefined,
    disconnected: () => undefined,
    message: (_from, bytes) => onMessage(bytes),
    broadcast: () => undefined,
    direct: () => undefined,
    hostile: () => undefined,
  })
  return network
}

function portOf(address: string): number {
  return Number(/\/tcp\/(\d+)/.exec(address)?.[1])
}

function heapBytes(): number {
  const collect = (globalThis as { gc?: () => void }).gc
  collect?.()
  return process.memoryUsage().heapUsed
}

/** Resolves when a message of the friend has come. Its connection may be lost meanwhile: a busy machine is slow to answer. */
async function serve(friend: Libp2pNetwork, to: PeerId, mark: number, received: readonly number[]): Promise<void> {
  const endMs = performance.now() + FRIEND_WAIT_MAX_MS
  while (received.at(-1) !== mark) {
    if (performance.now() > endMs) throw new Error('a true peer is not served')
    if (friend.neighbours().length > 0) await friend.send(to, Uint8Array.of(mark)).catch(() => undefined)
    await delay(10)
  }
}

/** Sends the bytes in pieces, then ends, breaks off or waits, and resolves when the connection is over. */
async function attack(socket: Socket, { bytes }: Attack, random: Random): Promise<void> {
  const { promise: over, resolve } = Promise.withResolvers<void>()
  socket.on('error', () => undefined)
  socket.on('close', () => resolve())
  socket.on('data', () => undefined)
  const [pieces, last] = [Math.floor(random() * 4) + 1, random()]
  const timer = setTimeout(() => socket.destroy(), STAY_MAX_MS)
  for (let i = 0; i < pieces && !socket.destroyed; i += 1) {
    const [start, end] = [i, i + 1].map((part) => Math.floor((part * bytes.length) / pieces)) as [number, number]
    socket.write(bytes.subarray(start, end))
    if (random() < 0.3) await delay(1)
  }
  if (last < 0.3) socket.end()
  else if (last < 0.5) setTimeout(() => socket.destroy(), 5)
  await over
  clearTimeout(timer)
}

async function attackInWebSocket(socket: Socket, random: Random): Promise<void> {
  const { promise: opened, resolve } = Promise.withResolvers<void>()
  socket.on('error', () => undefined)
  socket.once('data', () => resolve())
  socket.once('close', () => resolve())
  socket.write(requestTo('localhost').request)
  await opened
  await attack(socket, frameAttack(random, true), random)
}

/** On a connection that is encrypted. */
async function attackInStreams(stranger: RawPeer, address: string, random: Random): Promise<void> {
  let connection: Connection
  try {
    connection = await stranger.node.dial(multiaddr(address), { force: true })
  } catch {
    // The peer refuses this stranger for a while.
    return
  }
  sendAnyInStreams(connection, random)
  await delay(random() * STAY_MAX_MS)
  abort(connection, 'enough')
}

/** A server of TCP and one of WebSockets that answer who dials them with an attack. */
async function hostileServers(random: Random): Promise<Server[]> {
  const plain = createServer((socket) => void attack(socket, streamAttack(random), random))
  const webSockets = createServer((socket) => {
    const reader = new HeadReader()
    socket.on('error', () => undefined)
    socket.once('data', (chunk: Buffer) => {
      const agreed = random() < 0.8
      const answer = agreed ? answerTo(reader.read(chunk)?.head ?? '') : headAttack(random).bytes
      socket.write(answer ?? '')
      void attack(socket, frameAttack(random, false), random)
    })
  })
  const servers = [plain, webSockets]
  for (const server of servers) {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  }
  return servers
}

/** 1 where the peer believes to have reached a neighbour. */
async function dial(peer: Libp2pNetwork, server: Server, suffix: string): Promise<number> {
  const { port } = server.address() as AddressInfo
  const address = `/ip4/127.0.0.1/tcp/${port}${suffix}`
  try {
    await peer.dial(address, { signal: AbortSignal.timeout(2 * STAY_MAX_MS) })
    return 1
  } catch {
    return 0
  }
}
