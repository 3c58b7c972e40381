import type { Connection, Stream } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import type { Libp2p } from 'libp2p'
import { noiseOptions } from './server-transports.ts'

/** For tests: a peer that speaks the stream protocol by hand, and so can break it. */
export interface RawPeer {
  readonly node: Libp2p
  readonly peerId: string
  /** Dials, opens its stream, and resolves when the other side has opened one too. */
  meet(address: string): Promise<{ connection: Connection; outgoing: Stream; incoming: Stream }>
}

export async function rawPeer(protocol: string): Promise<RawPeer> {
  const node = await createLibp2p({
    transports: [tcp()],
    connectionEncrypters: [noise(noiseOptions())],
    streamMuxers: [yamux()],
    connectionGater: { denyDialMultiaddr: () => false },
  })
  return {
    node,
    peerId: node.peerId.toString(),
    meet: async (address) => {
      const { promise, resolve } = Promise.withResolvers<Stream>()
      await node.handle(protocol, (stream) => resolve(stream), { force: true })
      const connection = await node.dial(multiaddr(address))
      const outgoing = await connection.newStream(protocol)
      return { connection, outgoing, incoming: await promise }
    },
  }
}
