import { networkConformance } from '@gossipgrid/testing/network-conformance'
import { deriveChannel } from './channel.ts'
import { libp2pNetwork } from './libp2p-network.ts'

const secrets = ['the secret of the conformance suite', 'the former one']
const open = [await deriveChannel('conformance')]
const locked = [await deriveChannel('conformance', secrets[0])]
const twice = await Promise.all(secrets.map((secret) => deriveChannel('conformance', secret)))

const kinds = [
  ['over TCP', '/ip4/127.0.0.1/tcp/0', open],
  ['over WebSockets', '/ip4/127.0.0.1/tcp/0/ws', open],
  ['over TCP with a secret', '/ip4/127.0.0.1/tcp/0', locked],
  ['over TCP with two secrets', '/ip4/127.0.0.1/tcp/0', twice],
] as const

for (const [kind, listen, channels] of kinds) {
  networkConformance(`the libp2p network ${kind}`, {
    network: ({ join }) => libp2pNetwork({ channels, listen: [listen], mdns: false, join }),
    unreachableAddress: listen.replace('/0', '/1'),
  })
}
