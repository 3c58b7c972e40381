import { recordNetwork } from '@gossipgrid/testing/network-conformance'
import { multiaddr } from '@multiformats/multiaddr'
import { afterEach, expect, test } from 'vitest'
import { deriveChannel } from '../channel.ts'
import { libp2pNetwork } from '../libp2p-network.ts'
import type { Libp2pNetwork } from '../libp2p-port.ts'
import { rawPeer } from '../raw-peer.ts'

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()))
})

async function start(): Promise<Libp2pNetwork> {
  const channels = [await deriveChannel('strangers', 'a secret that no stranger knows')]
  const options = { channels, listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false, neighboursMax: 4 }
  const network = await libp2pNetwork(options)
  closing.push(() => network.stop())
  await recordNetwork(network)
  return network
}

test('strangers that dial and show no proof keep no member out, and only a bounded number stay', async () => {
  const ada = await start()
  const address = ada.addresses()[0] as string
  const strangers = []
  for (let i = 0; i < 70; i++) {
    const raw = await rawPeer('/something/else')
    closing.push(async () => raw.node.stop())
    await raw.node.dial(multiaddr(address))
    strangers.push(raw)
  }
  const ben = await start()
  expect(await ben.dial(address)).toBe(ada.peerId)
  const connected = strangers.filter(({ node }) => node.getConnections().length > 0)
  expect(connected.length).toBeLessThanOrEqual(64)
  expect(ada.neighbours()).toEqual([ben.peerId])
})
