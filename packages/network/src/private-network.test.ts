import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { identify } from '@libp2p/identify'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import type { Libp2p } from 'libp2p'
import { eventually, publishUntil, recordNetwork } from '@gossipgrid/testing/network-conformance'
import type { RecordedNetwork } from '@gossipgrid/testing/network-conformance'
import { afterEach, describe, expect, it } from 'vitest'
import { deriveChannel } from './channel.ts'
import type { Channel } from './channel.ts'
import { Gossip, gossipService } from './gossip.ts'
import type { GossipService } from './gossip.ts'
import { libp2pNetwork } from './libp2p-network.ts'
import type { Libp2pNetwork } from './libp2p-port.ts'
import { rawPeer } from './raw-peer.ts'
import type { RawPeer } from './raw-peer.ts'

type Recorded = RecordedNetwork & { readonly network: Libp2pNetwork }

const listen = ['/ip4/127.0.0.1/tcp/0']
const [ours, former, theirs] = await Promise.all(
  ['our secret', 'our former secret', 'their secret'].map((secret) => deriveChannel('demo', secret)),
)

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()))
})

async function start(channels: readonly (Channel | undefined)[], join: readonly Recorded[] = []): Promise<Recorded> {
  const addresses = join.map(addressOf)
  const network = await libp2pNetwork({ channels: channels as Channel[], listen, join: addresses, mdns: false })
  closing.push(() => network.stop())
  return { ...(await recordNetwork(network)), network }
}

function addressOf({ network }: RecordedNetwork): string {
  return network.addresses()[0] as string
}

async function startRaw(): Promise<RawPeer> {
  const raw = await rawPeer(ours!.protocol)
  closing.push(async () => raw.node.stop())
  return raw
}

function pause(waitMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, waitMs))
}

interface Received {
  /** How many streams the member has opened. */
  readonly streams: number
  readonly open: boolean
}

/** Dials a member as a stranger that knows the name of the protocol; returns what it has received once that is `enough`. */
async function knock(
  member: Recorded,
  raw: RawPeer,
  said: Uint8Array,
  enough: (received: Received) => boolean = ({ open }) => !open,
): Promise<Received> {
  let streams = 0
  await raw.node.handle(ours!.protocol, () => void (streams += 1), { force: true })
  const connection = await raw.node.dial(multiaddr(addressOf(member)))
  const stream = await connection.newStream(ours!.protocol)
  if (said.length > 0) stream.send(said)
  const received = (): Received => ({ streams, open: connection.status === 'open' })
  await eventually(() => enough(received()), 'it got its answer')
  return received()
}

describe('grids of one name and different secrets', () => {
  it('live on one network without meeting, and dialling says why', async () => {
    const ada = await start([ours])
    const ben = await start([ours], [ada])
    const eve = await start([theirs], [ada])
    const unnamed = await start([await deriveChannel('demo')], [ada])
    await eventually(() => ada.connected.length === 1 && ben.connected.length === 1, 'the members have met')
    await publishUntil(ben.network, ada)
    for (const stranger of [eve, unnamed]) {
      await expect(stranger.network.dial(addressOf(ada))).rejects.toMatchObject({
        code: 'NETWORK_DIAL_FAILED',
        message: expect.stringContaining('no peer of this grid: another name or secret'),
      })
      expect([stranger.connected, stranger.broadcasts]).toEqual([[], []])
    }
    expect(ada.connected).toEqual([ben.network.peerId])
  })
})

describe('two members', () => {
  // A busy machine may need longer than that to open the gossip's streams, but not every time.
  it('get frames from each other at once, not only a second after they have met', { retry: 3 }, async () => {
    const ada = await start([ours])
    const ben = await start([ours], [ada])
    await eventually(() => ada.connected.length === 1 && ben.connected.length === 1, 'they have met')
    for (let i = 0; i < 30; i++) {
      await ada.network.publish(Uint8Array.of(1, i))
      await ben.network.publish(Uint8Array.of(2, i))
      await pause(10)
    }
    expect([ada.broadcasts.length > 0, ben.broadcasts.length > 0]).toEqual([true, true])
  })
})

describe('a stranger that knows the name of the protocol', () => {
  it('gets no answer while it shows no proof', async () => {
    const ada = await start([ours])
    const raw = await startRaw()
    const begunMs = performance.now()
    const aWhileHasPassed = (): boolean => performance.now() - begunMs > 700
    expect(await knock(ada, raw, new Uint8Array(), aWhileHasPassed)).toMatchObject({ streams: 0 })
    expect(ada.connected).toEqual([])
  })

  it('is disconnected and refused with a wrong proof, and with the proof of another peer', async () => {
    const ada = await start([ours])
    const proofs = [
      new Uint8Array(32),
      await theirs!.lock!.prove('eve', ada.network.peerId),
      // What a member has once shown to ada, or ada to it.
      await ours!.lock!.prove('ben', ada.network.peerId),
    ]
    for (const proof of proofs) {
      const raw = await startRaw()
      expect(await knock(ada, raw, proof)).toEqual({ streams: 0, open: false })
    }
    const raw = await startRaw()
    const backwards = await ours!.lock!.prove(ada.network.peerId, raw.peerId)
    expect(await knock(ada, raw, backwards)).toEqual({ streams: 0, open: false })
    const right = await ours!.lock!.prove(raw.peerId, ada.network.peerId)
    const again = await knock(ada, raw, right).catch(() => ({ streams: 0, open: false }))
    expect(again, 'it is refused for a while, whatever it shows').toEqual({ streams: 0, open: false })
    expect(ada.connected).toEqual([])
    expect(ada.network.counts().hostileStreams).toBe(4)
    expect(new Set(ada.hostile).size, 'each is reported').toBe(4)
  })

  it('would be let in with a proof of its own, so that the tests above mean something', async () => {
    const ada = await start([ours])
    const raw = await startRaw()
    const proof = await ours!.lock!.prove(raw.peerId, ada.network.peerId)
    // In two pieces, with the start of a message behind it.
    const said = new Uint8Array([...proof, 0, 0, 0, 2, 7, 8])
    expect(await knock(ada, raw, said, ({ streams }) => streams > 0)).toEqual({ streams: 1, open: true })
    await eventually(() => ada.messages.length > 0, 'its message has come')
    expect(ada.messages).toMatchObject([{ from: raw.peerId, bytes: Uint8Array.of(7, 8) }])
  })

  it('is sent no frame, and its own frames are neither accepted nor passed on', async () => {
    const spy = await startSpy()
    const ada = await start([ours])
    const ben = await start([ours], [ada])
    await eventually(() => ada.connected.length === 1, 'the members have met')
    void ada.network.dial(spy.address).catch(() => undefined)
    await eventually(() => spy.node.getConnections().length > 0, 'the stranger is connected')
    for (let i = 0; i < 15; i++) {
      await ada.network.publish(Uint8Array.of(1, i))
      await spy.gossip.publish(Uint8Array.of(2, i))
      await pause(100)
    }
    expect(ben.broadcasts.length).toBeGreaterThan(0)
    expect(spy.node.getConnections().length, 'still connected').toBeGreaterThan(0)
    expect(spy.frames).toEqual([])
    expect([...ada.broadcasts, ...ben.broadcasts].filter(({ bytes }) => bytes[0] === 2)).toEqual([])
  })
})

describe('a grid that changes its secret', () => {
  it('holds together while some peers have the former one and some the new one', async () => {
    const both = await start([ours, former])
    const old = await start([former], [both])
    const fresh = await start([ours], [both])
    const second = await start([ours, former], [both])
    await eventually(() => both.network.neighbours().length === 3, 'all know the one with both')
    for (const other of [old, fresh, second]) {
      await publishUntil(both.network, other)
      await publishUntil(other.network, both)
      await both.network.send(other.network.peerId, Uint8Array.of(5))
      await eventually(() => other.messages.length === 1, 'a message arrives')
    }
    await expect(old.network.dial(addressOf(fresh))).rejects.toMatchObject({ code: 'NETWORK_DIAL_FAILED' })
  })
})

/** A stranger that has read topic and protocol off the wire and keeps its connections, with gossip but without secret. */
async function startSpy(): Promise<{ node: Libp2p; gossip: Gossip; frames: unknown[]; address: string }> {
  const { topic, protocol } = ours!
  const options = { channels: [{ topic, protocol }], broadcastSizeMaxBytes: 1024 * 1024, isMember: () => true }
  const node = (await createLibp2p({
    addresses: { listen },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionGater: { denyDialMultiaddr: () => false },
    services: { identify: identify(), pubsub: gossipService(options) },
  })) as unknown as Libp2p
  closing.push(async () => node.stop())
  await node.handle(protocol, () => undefined)
  const gossip = new Gossip(node.peerId.toString(), node.services['pubsub'] as GossipService, options)
  const frames: unknown[] = []
  gossip.listen((_author, bytes) => void frames.push(bytes))
  return { node, gossip, frames, address: node.getMultiaddrs()[0]!.toString() }
}
