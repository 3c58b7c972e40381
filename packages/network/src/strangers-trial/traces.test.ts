import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { preset } from '#preset'
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { generateKeyPair, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import type { PeerId } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import type { Multiaddr } from '@multiformats/multiaddr'
import { recordNetwork } from '@gossipgrid/testing/network-conformance'
import { createLibp2p } from 'libp2p'
import type { Libp2p } from 'libp2p'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { deriveChannel } from '../channel.ts'
import { delay } from '../ending.ts'
import { gossipService } from '../gossip.ts'
import { PeerNetwork } from '../peer-network.ts'

const STRANGERS = 8

const closing: (() => unknown)[] = []
afterEach(async () => {
  vi.useRealTimers()
  for (const close of closing.splice(0)) await close()
})

/** A peer of a private grid, and the libp2p node inside. */
async function startPeer(): Promise<{ network: PeerNetwork; node: Libp2p; address: string }> {
  const privateKey = await generateKeyPair('Ed25519')
  const listen = ['/ip4/127.0.0.1/tcp/0']
  let node: Libp2p | undefined
  const network = await PeerNetwork.create(
    {
      channels: [await deriveChannel('traces', 'a secret that no stranger has')],
      privateKeyBytes: privateKeyToProtobuf(privateKey),
      broadcastSizeMaxBytes: 1024 * 1024,
      join: [],
      messageSizeMaxBytes: 1024 * 1024,
      neighboursMax: 8,
      deafAfterMs: 10_000,
      halfOpenMaxMs: 60_000,
      accept: () => true,
      usesRelays: false,
      canDial: () => true,
      log: () => undefined,
    },
    async (hooks) => {
      node = await createLibp2p(
        preset.options({
          ...hooks,
          privateKey,
          listen,
          neighboursMax: 8,
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
  await recordNetwork(network)
  return { network, node: node!, address: network.addresses()[0] as string }
}

/** Says what libp2p peers say of themselves, and that it is to be found at `announce`. */
async function startStranger(announce: readonly string[], listen: readonly string[] = []): Promise<Libp2p> {
  const node = (await createLibp2p({
    addresses: { announce: [...announce], listen: [...listen] },
    transports: [tcp(), circuitRelayTransport()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionGater: { denyDialMultiaddr: () => false },
    services: {
      identify: identify(),
      pubsub: gossipService({ channels: [], broadcastSizeMaxBytes: 1024, isMember: () => true }),
    },
  })) as unknown as Libp2p
  closing.push(() => node.stop())
  return node
}

interface GossipInternals {
  readonly peers: { readonly size: number }
  readonly score: { readonly peerStats: { readonly size: number } }
  addPeer(peerId: PeerId, direction: string, address: Multiaddr): void
}

async function known(node: Libp2p): Promise<number> {
  return (await node.peerStore.all()).length
}

describe('of strangers that are gone', () => {
  it('nothing stays in memory of what they said of themselves', async () => {
    const { node, address } = await startPeer()
    const gossip = node.services['pubsub'] as unknown as GossipInternals
    const visit = async (): Promise<void> => {
      const stranger = await startStranger(Array.from({ length: 100 }, (_, i) => `/ip4/10.1.2.${i}/tcp/4001`))
      await stranger.dial(multiaddr(address))
      const before = await known(node)
      await vi.waitFor(async () => expect(await known(node)).toBeGreaterThan(before), 5000)
      await vi.waitFor(() => expect(gossip.peers.size).toBeGreaterThan(0), 5000)
      await stranger.stop()
    }
    for (let i = 0; i < STRANGERS; i += 1) await visit()
    // What happens when a stranger leaves while what it has said of itself is being read.
    const last = await startStranger([])
    await last.dial(multiaddr(address))
    await last.stop()
    await vi.waitFor(() => expect(node.getConnections()).toEqual([]), 5000)
    gossip.addPeer(last.peerId, 'inbound', multiaddr(address))
    // They are forgotten when another leaves.
    await delay(6000)
    await visit()
    await vi.waitFor(async () => expect(await known(node)).toBeLessThanOrEqual(1), 5000)
    await vi.waitFor(() => expect(gossip.peers.size).toBeLessThanOrEqual(1), 5000)
    await delay(500)
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 60_000 })
    await vi.waitFor(() => expect(gossip.score.peerStats.size).toBeLessThanOrEqual(1), 5000)
  })

  it('no address is dialled that they gave as their own', async () => {
    const { address } = await startPeer()
    let dialled = 0
    const victim = createServer((socket) => {
      dialled += 1
      socket.on('error', () => undefined)
      socket.destroy()
    })
    closing.push(() => victim.close())
    await new Promise<void>((resolve) => victim.listen(0, '127.0.0.1', resolve))
    const { port } = victim.address() as AddressInfo
    for (let i = 0; i < STRANGERS; i += 1) {
      const stranger = await startStranger([`/ip4/127.0.0.1/tcp/${port}`])
      await stranger.dial(multiaddr(address))
      await delay(200)
      await stranger.stop()
    }
    await delay(3000)
    expect(dialled).toBe(0)
  })

  it('no place stays taken at the relay that a peer is for tabs', async () => {
    const { node, address } = await startPeer()
    const { reservations } = node.services['relay'] as { readonly reservations: { readonly size: number } }
    for (let i = 0; i < STRANGERS; i += 1) {
      const stranger = await startStranger([], [`${address}/p2p-circuit`])
      await vi.waitFor(() => expect(reservations.size).toBe(1), 5000)
      await stranger.stop()
      await vi.waitFor(() => expect(reservations.size).toBe(0), 5000)
    }
  })
})
