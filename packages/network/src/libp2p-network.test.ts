import { networkConformance } from '@gossipgrid/testing/network-conformance'
import { expect, it } from 'vitest'
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

it('an option that does not exist is an error that names the one meant', async () => {
  const misspelt = { channels: open, lsiten: ['/ip4/127.0.0.1/tcp/0'] }
  await expect(libp2pNetwork(misspelt)).rejects.toMatchObject({
    code: 'INVALID_OPTION',
    message: expect.stringContaining("did you mean 'listen'?"),
  })
})
