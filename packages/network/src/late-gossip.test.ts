import { identify } from '@libp2p/identify'
import type { Connection, Libp2p } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import { afterEach, describe, expect, it, vi } from 'vitest'
import * as code from './gossip.ts'
import { Gossip, gossipService } from './gossip.ts'
import type { GossipService } from './gossip.ts'
import { lateGossip } from './late-gossip.ts'
import type { LateGossip } from './late-gossip.ts'

const OPTIONS = {
  channels: [{ topic: 'late', protocol: '/late/1' }],
  broadcastSizeMaxBytes: 1024,
  isMember: () => true,
}

const closing: (() => unknown)[] = []
afterEach(async () => {
  vi.useRealTimers()
  for (const close of closing.splice(0)) await close()
})

async function startNode(pubsub: (components: object) => object): Promise<Libp2p> {
  const node = (await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionGater: { denyDialMultiaddr: () => false },
    services: { identify: identify(), pubsub },
  })) as unknown as Libp2p
  closing.push(() => node.stop())
  return node
}

interface Recorded {
  readonly node: Libp2p
  readonly frames: string[]
}

/** A peer whose gossip is there from the beginning, as on servers. */
async function startServer(): Promise<Recorded & { readonly gossip: Gossip }> {
  const node = await startNode(gossipService(OPTIONS))
  const gossip = new Gossip(node.peerId.toString(), node.services['pubsub'] as GossipService, OPTIONS)
  const frames: string[] = []
  gossip.listen((_, bytes) => void frames.push(new TextDecoder().decode(bytes)))
  return { node, gossip, frames }
}

interface LatePeer extends Recorded {
  readonly gossip: LateGossip
  readonly lines: string[]
  arrive(): void
  fail(): void
}

/** A peer whose code of gossip arrives when the test says so. */
async function startLate(): Promise<LatePeer> {
  let next = Promise.withResolvers<typeof code>()
  const lines: string[] = []
  const node = await startNode(
    lateGossip(
      OPTIONS,
      (line) => void lines.push(line),
      () => next.promise,
    ),
  )
  const gossip = node.services['pubsub'] as LateGossip
  const frames: string[] = []
  gossip.listen((_, bytes) => void frames.push(new TextDecoder().decode(bytes)))
  return {
    node,
    gossip,
    frames,
    lines,
    arrive: () => next.resolve(code),
    fail: () => {
      const failed = next
      next = Promise.withResolvers()
      failed.reject(new TypeError('Failed to fetch'))
    },
  }
}

/** Both have asked each other what they speak, and opened their streams as far as they do. */
async function connect(from: Libp2p, to: Libp2p): Promise<Connection> {
  const identified = [from, to].map((node) => new Promise((resolve) => node.addEventListener('peer:identify', resolve)))
  const connection = await from.dial(to.getMultiaddrs())
  await Promise.all(identified)
  return connection
}

/** Gossip flows between both. */
async function meshed(late: LatePeer, server: Awaited<ReturnType<typeof startServer>>): Promise<void> {
  await vi.waitFor(() => expect(server.gossip.deaf(late.node.peerId.toString())).toBe(false))
  await vi.waitFor(() => expect(late.gossip.deaf(server.node.peerId.toString())).toBe(false))
}

const gossipStreams = ({ streams }: Connection): number =>
  streams.filter(({ protocol }) => protocol.startsWith('/meshsub/')).length

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

describe('gossip whose code arrives late', () => {
  it.each(['the late one', 'the other one'])('reaches both ways when %s has dialled', async (dialler) => {
    const [late, server] = await Promise.all([startLate(), startServer()])
    const [from, to] = dialler === 'the late one' ? [late.node, server.node] : [server.node, late.node]
    const connection = await connect(from, to)
    await vi.waitFor(() => expect(gossipStreams(connection)).toBe(1))
    expect(late.gossip.deaf(server.node.peerId.toString())).toBe(false)
    await late.gossip.publish(bytes('before the code is there'))

    late.arrive()
    await meshed(late, server)
    await late.gossip.publish(bytes('from the late one'))
    await server.gossip.publish(bytes('from the server'))
    await vi.waitFor(() => {
      expect(late.frames).toEqual(['from the server'])
      expect(server.frames).toEqual(['from the late one'])
    })
  })

  it('works over connections that are made later', async () => {
    const [late, server] = await Promise.all([startLate(), startServer()])
    late.arrive()
    await connect(server.node, late.node)
    await meshed(late, server)
    await server.gossip.publish(bytes('hello'))
    await vi.waitFor(() => expect(late.frames).toEqual(['hello']))
  })

  it('leaves out connections that have closed meanwhile', async () => {
    const [late, gone, server] = await Promise.all([startLate(), startServer(), startServer()])
    await connect(gone.node, late.node)
    await gone.node.stop()
    await connect(server.node, late.node)
    late.arrive()
    await meshed(late, server)
    expect(late.gossip.deaf(gone.node.peerId.toString())).toBe(true)
  })

  it('is requested again after a failure, and says so once', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout'] })
    const late = await startLate()
    late.fail()
    await vi.advanceTimersByTimeAsync(5000)
    late.fail()
    await vi.advanceTimersByTimeAsync(5000)
    vi.useRealTimers()
    expect(late.lines).toEqual([expect.stringMatching(/^the code for gossip could not be loaded.*Failed to fetch/)])
    const server = await startServer()
    await connect(late.node, server.node)
    late.arrive()
    await meshed(late, server)
    await server.gossip.publish(bytes('hello'))
    await vi.waitFor(() => expect(late.frames).toEqual(['hello']))
  })

  it('refuses a frame that is too large, whether or not its code is there', async () => {
    const late = await startLate()
    await expect(late.gossip.publish(new Uint8Array(1025))).rejects.toMatchObject({ code: 'MESSAGE_TOO_LARGE' })
    late.arrive()
    await expect(late.gossip.publish(new Uint8Array(1025))).rejects.toMatchObject({ code: 'MESSAGE_TOO_LARGE' })
  })

  it('does not begin in a peer that has stopped', async () => {
    const late = await startLate()
    await late.node.stop()
    late.arrive()
    await expect(late.gossip.publish(bytes('nothing'))).resolves.toBeUndefined()
    expect(late.gossip.dropped).toBe(0)
  })
})
