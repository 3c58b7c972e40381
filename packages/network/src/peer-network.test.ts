import { generateKeyPair, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import type { Libp2p } from 'libp2p'
import type { Connection } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import type { PeerId } from '@gossipgrid/core'
import { eventually, publishUntil, recordNetwork } from '@gossipgrid/testing/network-conformance'
import type { RecordedNetwork } from '@gossipgrid/testing/network-conformance'
import { afterEach, describe, expect, it } from 'vitest'
import { libp2pNetwork } from './libp2p-network.ts'
import type { Libp2pNetworkOptions } from './libp2p-network.ts'
import { PeerNetwork } from './peer-network.ts'
import type { Libp2pNetwork } from './libp2p-port.ts'
import { rawPeer } from './raw-peer.ts'
import type { RawPeer } from './raw-peer.ts'
import { preset } from './server-preset.ts'

const PROTOCOL = '/gossipgrid/test/1'
const CHANNELS = [{ topic: 'test', protocol: PROTOCOL }]

type Recorded = RecordedNetwork & { readonly network: Libp2pNetwork }

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()))
})

async function start(options: Partial<Libp2pNetworkOptions> = {}): Promise<Recorded> {
  const network = await libp2pNetwork({
    channels: CHANNELS,
    listen: ['/ip4/127.0.0.1/tcp/0'],
    mdns: false,
    ...options,
  })
  closing.push(() => network.stop())
  return { ...(await recordNetwork(network)), network }
}

/** A network whose libp2p node the test can reach, to break it. */
async function startOpen(deafAfterMs: number, join: string[]): Promise<Recorded & { readonly node: Libp2p }> {
  const privateKey = await generateKeyPair('Ed25519')
  let node: Libp2p | undefined
  const network = await PeerNetwork.create(
    {
      channels: CHANNELS,
      privateKeyBytes: privateKeyToProtobuf(privateKey),
      broadcastSizeMaxBytes: 1024 * 1024,
      join,
      messageSizeMaxBytes: 4 * 1024 * 1024,
      neighboursMax: 32,
      deafAfterMs,
      halfOpenMaxMs: 60_000,
      accept: () => true,
      log: () => undefined,
      usesRelays: false,
      canDial: (address) => preset.dials(address),
    },
    async (hooks) => {
      const listen = ['/ip4/127.0.0.1/tcp/0']
      node = await createLibp2p(
        preset.options({
          ...hooks,
          privateKey,
          listen,
          neighboursMax: 32,
          mdns: false,
          iceServers: [],
          announce: [],
          tls: undefined,
        }),
      )
      return { node, broadcasting: preset.broadcasting(node, hooks.gossip) }
    },
  )
  closing.push(() => network.stop())
  return { ...(await recordNetwork(network)), network, node: node as Libp2p }
}

async function startRaw(protocol: string = PROTOCOL): Promise<RawPeer> {
  const raw = await rawPeer(protocol)
  closing.push(async () => raw.node.stop())
  return raw
}

function addressOf({ network }: Recorded): string {
  return network.addresses()[0] as string
}

async function met(...all: Recorded[]): Promise<void> {
  await eventually(() => all.every(({ network }) => network.neighbours().length === all.length - 1), 'all have met')
}

function pause(waitMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, waitMs))
}

describe('finding each other', () => {
  it('an address to join by may come up later', async () => {
    const first = await start()
    const address = addressOf(first)
    const privateKey = first.network.exportPrivateKey()
    await first.network.stop()
    const ben = await start({ join: [address] })
    await pause(700)
    const listen = [address.replace(/\/p2p\/.*/, '')]
    const ada = await start({ listen, privateKey })
    await met(ada, ben)
    expect(ada.network.peerId).toBe(first.network.peerId)
  })

  it('an address to join by may leave out the peer id', async () => {
    const ada = await start()
    const ben = await start({ join: [addressOf(ada).replace(/\/p2p\/.*/, '')] })
    await met(ada, ben)
  })

  it('a broken connection is made again, by either side', async () => {
    const ada = await startOpen(60_000, [])
    const ben = await startOpen(60_000, [addressOf(ada)])
    for (const side of [ada, ben]) {
      await met(ada, ben)
      const before = ada.connected.length
      for (const connection of side.node.getConnections()) connection.abort(new Error('cut by the test'))
      await eventually(() => ada.connected.length > before && ben.connected.length > before, 'they met again')
    }
    expect(ada.disconnected.length).toBe(2)
  })

  it('a peer of another grid is no neighbour, and dialling it says so', async () => {
    const ada = await start()
    const stranger = await start({ channels: [{ topic: 'other', protocol: '/gossipgrid/other/1' }] })
    const raw = await startRaw('/something/else')
    await expect(ada.network.dial(addressOf(stranger))).rejects.toMatchObject({
      code: 'NETWORK_DIAL_FAILED',
      message: expect.stringContaining('no peer of this grid'),
    })
    await raw.meet(addressOf(ada)).catch(() => undefined)
    await eventually(() => raw.node.getConnections().length === 0, 'the stranger was shown out')
    expect([ada.connected, stranger.connected]).toEqual([[], []])
  })

  it('only peers that are accepted become neighbours', async () => {
    const refused = new Set<PeerId>()
    const ada = await start({ accept: (peerId) => !refused.has(peerId) })
    const ben = await start()
    const cora = await start()
    refused.add(ben.network.peerId)
    await expect(ben.network.dial(addressOf(ada))).rejects.toMatchObject({ code: 'NETWORK_DIAL_FAILED' })
    expect(await cora.network.dial(addressOf(ada))).toBe(ada.network.peerId)
    await met(ada, cora)
    expect(ada.network.neighbours()).toEqual([cora.network.peerId])
  })

  it('the error for a taken port names its address', async () => {
    const ada = await start()
    const listen = [addressOf(ada).replace(/\/p2p\/.*/, ''), '/ip4/127.0.0.1/tcp/0/ws']
    await expect(start({ listen })).rejects.toMatchObject({
      code: 'NETWORK_PORT_TAKEN',
      message: expect.stringContaining(listen[0] as string),
    })
  })

  it('the error for an address that is no multiaddr shows a good one', async () => {
    for (const options of [{ listen: ['127.0.0.1:4001'] }, { join: ['localhost'] }]) {
      await expect(start(options)).rejects.toMatchObject({
        code: 'NETWORK_BAD_ADDRESS',
        message: expect.stringContaining('/tcp/4001'),
      })
    }
    const ada = await start()
    await expect(ada.network.dial('/ip4/127.0.0.1/udp/4001/quic-v1')).rejects.toMatchObject({
      code: 'NETWORK_BAD_ADDRESS',
    })
  })
})

describe('a split', () => {
  it('separates the two sides until it ends, and then they meet again', async () => {
    const ada = await start()
    const ben = await start({ join: [addressOf(ada)] })
    const cora = await start({ join: [addressOf(ada), addressOf(ben)] })
    await met(ada, ben, cora)
    await publishUntil(ada.network, cora)
    ada.network.block([cora.network.peerId])
    ben.network.block([cora.network.peerId])
    await eventually(() => cora.network.neighbours().length === 0, 'cora is alone')
    await expect(cora.network.dial(addressOf(ada))).rejects.toMatchObject({ code: 'NETWORK_DIAL_FAILED' })
    await expect(ada.network.dial(addressOf(cora))).rejects.toMatchObject({ code: 'NETWORK_DIAL_FAILED' })
    const heardBefore = cora.broadcasts.length
    await publishUntil(ada.network, ben)
    await pause(1500)
    expect(cora.broadcasts.length).toBe(heardBefore)
    expect(ada.network.neighbours()).toEqual([ben.network.peerId])
    ada.network.unblock()
    ben.network.unblock()
    await met(ada, ben, cora)
    await publishUntil(ada.network, cora)
    await publishUntil(cora.network, ben)
  })
})

describe('gossip', () => {
  it('reaches twenty peers behind one address', async () => {
    const ada = await start()
    const others: Recorded[] = []
    for (let i = 1; i < 20; i += 1) others.push(await start({ join: [addressOf(ada)] }))
    await eventually(() => ada.network.neighbours().length === 19, 'all have joined')
    for (let attempt = 0; attempt < 100 && others.some(({ broadcasts }) => broadcasts.length === 0); attempt += 1) {
      await ada.network.publish(Uint8Array.of(attempt))
      await pause(100)
    }
    expect(others.filter(({ broadcasts }) => broadcasts.length > 0).length).toBe(19)
    await publishUntil((others[7] as Recorded).network, others[12] as Recorded)
  })

  it('fails after its stream was reset, and a redial repairs it', async () => {
    const ada = await startOpen(60_000, [])
    const ben = await startOpen(60_000, [addressOf(ada)])
    await met(ada, ben)
    await publishUntil(ada.network, ben)
    resetGossip(ada.node)
    await pause(300)
    ben.broadcasts.length = 0
    for (let i = 0; i < 10; i += 1) {
      await ada.network.publish(Uint8Array.of(1, i))
      await pause(50)
    }
    expect(ben.broadcasts).toEqual([])
    expect(ada.network.neighbours()).toEqual([ben.network.peerId])
    await ada.network.redial(ben.network.peerId)
    await publishUntil(ada.network, ben)
    await publishUntil(ben.network, ada)
  })

  it('that fails is found, and the neighbour is redialled', async () => {
    const ada = await startOpen(1000, [])
    const ben = await startOpen(1000, [addressOf(ada)])
    await met(ada, ben)
    await publishUntil(ada.network, ben)
    resetGossip(ben.node)
    await eventually(() => ada.connected.length === 2 && ben.connected.length === 2, 'they were redialled')
    await publishUntil(ada.network, ben)
    await publishUntil(ben.network, ada)
  })

  it('to a neighbour that does not read is bounded, and flows again when it reads', async () => {
    const ada = await startOpen(60_000, [])
    const ben = await startOpen(60_000, [addressOf(ada)])
    await met(ada, ben)
    await publishUntil(ada.network, ben)
    const sockets = ben.node.getConnections() as unknown as { maConn: { pause(): void; resume(): void } }[]
    for (const { maConn } of sockets) maConn.pause()
    // No call waits for the neighbour, which reads nothing yet.
    for (let i = 0; i < 60; i += 1) await ada.network.publish(new Uint8Array(500_000).fill(i))
    const streams = ada.node.getConnections().flatMap(({ streams }) => streams)
    const gossip = streams.filter(({ protocol }) => protocol.startsWith('/meshsub/'))
    for (const stream of gossip) expect(stream.writeBufferLength).toBeLessThan(5 * 1024 * 1024)
    for (const { maConn } of sockets) maConn.resume()
    await publishUntil(ada.network, ben)
    expect(ada.disconnected).toEqual([])
  })
})

/** Resets the gossip stream of a live connection, as a limit or a fault in gossipsub does. */
function resetGossip(node: Libp2p): void {
  for (const connection of node.getConnections()) {
    for (const stream of connection.streams) {
      if (stream.protocol.startsWith('/meshsub/') && stream.direction === 'outbound') {
        stream.abort(new Error('reset by the test'))
      }
    }
  }
}

describe('a neighbour that breaks the protocol', () => {
  it('by announcing an oversized message is closed, counted and refused', async () => {
    const ada = await start()
    const raw = await startRaw()
    const { outgoing } = await raw.meet(addressOf(ada))
    await eventually(() => ada.connected.length === 1, 'it is a neighbour')
    outgoing.send(Uint8Array.of(0xff, 0, 0, 0, 1, 2, 3))
    await eventually(() => ada.disconnected.length === 1, 'it was shown out')
    expect(ada.network.counts().hostileStreams).toBe(1)
    await eventually(() => raw.node.getConnections().length === 0, 'its connection is closed')
    await raw.meet(addressOf(ada)).catch(() => undefined)
    await pause(200)
    expect(ada.connected.length).toBe(1)
    expect(ada.messages).toEqual([])
  })

  it('by never ending a message is closed when its time is over', async () => {
    const ada = await start({ halfOpenMaxMs: 600 })
    const raw = await startRaw()
    const { outgoing } = await raw.meet(addressOf(ada))
    outgoing.send(Uint8Array.of(0, 0, 0, 2, 7, 8))
    await eventually(() => ada.messages.length === 1, 'a whole message arrives')
    await pause(1500)
    expect(ada.disconnected).toEqual([])
    outgoing.send(Uint8Array.of(0, 0, 1, 0, 7))
    await pause(300)
    outgoing.send(Uint8Array.of(8))
    await eventually(() => ada.disconnected.length === 1, 'it was shown out')
    expect(ada.network.counts().hostileStreams).toBe(1)
  })

  it('by never ending a frame, by one that is too long, or by an endless number of streams of frames is closed', async () => {
    const ada = await start({ halfOpenMaxMs: 600, broadcastSizeMaxBytes: 1000 })
    const attacks: ((connection: Connection) => Promise<unknown>)[] = [
      async (connection) => (await connection.newStream(`${PROTOCOL}/direct`)).send(Uint8Array.of(0, 0, 1, 0, 7)),
      async (connection) => (await connection.newStream(`${PROTOCOL}/direct`)).send(Uint8Array.of(0, 0, 4, 0)),
    ]
    for (const [i, attack] of attacks.entries()) {
      const raw = await startRaw()
      const { connection } = await raw.meet(addressOf(ada))
      await eventually(() => ada.connected.includes(raw.peerId), 'it is a neighbour')
      await attack(connection)
      await eventually(() => ada.hostile.length === i + 1, 'it was shown out')
    }
    expect(ada.frames).toEqual([])
    const raw = await startRaw()
    const { connection } = await raw.meet(addressOf(ada))
    await eventually(() => ada.connected.includes(raw.peerId), 'it is a neighbour')
    for (let i = 0; i < 8; i++) {
      const stream = await connection.newStream(`${PROTOCOL}/direct`)
      stream.send(Uint8Array.of(0, 0, 0, 1, i))
      await eventually(() => ada.frames.length === i + 1, 'its frame arrives')
    }
    const ninth = await connection.newStream(`${PROTOCOL}/direct`)
    await eventually(() => ninth.status !== 'open', 'the ninth is refused')
    expect(ada.frames).toHaveLength(8)
    expect(ada.disconnected).not.toContain(raw.peerId)
  })

  it('is none if its frames come before its stream does: they wait', async () => {
    const ada = await start()
    const raw = await startRaw()
    await raw.node.handle(PROTOCOL, () => undefined)
    const connection = await raw.node.dial(multiaddr(addressOf(ada)))
    const frames = await connection.newStream(`${PROTOCOL}/direct`)
    frames.send(Uint8Array.of(0, 0, 0, 1, 7))
    await pause(200)
    expect(ada.frames).toEqual([])
    await connection.newStream(PROTOCOL)
    await eventually(() => ada.frames.length === 1, 'the frame arrives')
    expect(ada.connected).toEqual([raw.peerId])
    expect(ada.disconnected).toEqual([])
    expect(frames.status).toBe('open')
  })

  it('by sending frames before it is a neighbour gets nothing', async () => {
    const ada = await start()
    const raw = await startRaw()
    const connection = await raw.node.dial(multiaddr(addressOf(ada)))
    // It may be shown out before its stream is open: it does not speak the protocol of the grid.
    const stream = await connection.newStream(`${PROTOCOL}/direct`).catch(() => undefined)
    if (stream?.status === 'open') stream.send(Uint8Array.of(0, 0, 0, 1, 7))
    await eventually(() => stream?.status !== 'open', 'it is refused')
    expect(ada.connected).toEqual([])
    expect(ada.frames).toEqual([])
  })

  it('by writing where it should only read is closed', async () => {
    const ada = await start()
    const raw = await startRaw()
    const { incoming } = await raw.meet(addressOf(ada))
    await eventually(() => ada.connected.length === 1, 'it is a neighbour')
    incoming.send(Uint8Array.of(1))
    await eventually(() => ada.disconnected.length === 1, 'it was shown out')
  })

  it('by opening its stream again and again is refused for a while, which is no offence', async () => {
    const ada = await start()
    const raw = await startRaw()
    const { connection } = await raw.meet(addressOf(ada))
    await eventually(() => ada.connected.length === 1, 'it is a neighbour')
    for (let i = 0; i < 60; i += 1) await connection.newStream(PROTOCOL).catch(() => undefined)
    await eventually(() => raw.node.getConnections().length === 0, 'it was shown out')
    expect(ada.connected.length).toBeLessThanOrEqual(30)
    expect(ada.network.neighbours()).toEqual([])
    expect([ada.network.counts().hostileStreams, ada.hostile]).toEqual([0, []])
  })

  it('by opening a second stream has started again: the first one ends', async () => {
    const ada = await start()
    const raw = await startRaw()
    const { connection, outgoing } = await raw.meet(addressOf(ada))
    await eventually(() => ada.connected.length === 1, 'it is a neighbour')
    const second = await connection.newStream(PROTOCOL)
    await eventually(() => ada.connected.length === 2, 'it is a neighbour again')
    expect(ada.disconnected).toEqual([raw.peerId])
    second.send(Uint8Array.of(0, 0, 0, 1, 42))
    await eventually(() => ada.messages.length === 1, 'the second stream is read')
    await eventually(() => outgoing.status !== 'open', 'the first is reset')
    expect(ada.network.neighbours()).toEqual([raw.peerId])
  })
})

describe('a peer that only reads', () => {
  it('sends hardly anything, also while it reads more than one window of the multiplexer', async () => {
    const ada = await start()
    const ben = await start({ join: [addressOf(ada)] })
    await met(ada, ben)
    const size = 100
    const countOf = (bytes: number): number => ben.messages.filter((message) => message.bytes.length === bytes).length
    const before = ben.network.traffic().sentBytes
    for (let i = 0; i < 500; i++) {
      await ada.network.send(ben.network.peerId, new Uint8Array(size))
      await new Promise((resolve) => setImmediate(resolve))
    }
    await eventually(() => countOf(size) === 500, 'all short messages have come')
    // A report after each would be 14,000 bytes. What is here is mostly identify.
    expect(ben.network.traffic().sentBytes - before).toBeLessThan(5000)
    const large = 1024 * 1024
    for (let i = 0; i < 8; i++) await ada.network.send(ben.network.peerId, new Uint8Array(large))
    await eventually(() => countOf(large) === 8, 'all long messages have come')
    expect(ben.network.traffic().sentBytes - before).toBeLessThan(15_000)
  })
})

describe('identify', () => {
  it('waits until a peer is a neighbour, and gossip follows it', async () => {
    const ada = await startOpen(60_000, [])
    const identified: { readonly peerId: PeerId; readonly isNeighbour: boolean }[] = []
    ada.node.addEventListener('peer:identify', ({ detail }) => {
      const peerId = detail.peerId.toString()
      identified.push({ peerId, isNeighbour: ada.network.neighbours().includes(peerId) })
    })
    const stranger = await createLibp2p({
      transports: [tcp()],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()],
      connectionGater: { denyDialMultiaddr: () => false },
      services: { identify: identify() },
    })
    closing.push(async () => stranger.stop())
    await stranger.handle(PROTOCOL, () => undefined)
    await stranger.dial(multiaddr(addressOf(ada)))
    await pause(300)
    expect(identified).toEqual([])
    const ben = await start({ join: [addressOf(ada)] })
    await eventually(() => identified.length > 0, 'ben is asked who he is')
    expect(identified).toEqual([{ peerId: ben.network.peerId, isNeighbour: true }])
    await publishUntil(ben.network, ada)
  })
})
