import { networkConformance } from '@gossipgrid/testing/network-conformance'
import { expect, it } from 'vitest'
import { checkJoin } from './address-checks.ts'
import { preset as browserPreset } from './browser-preset.ts'
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

it('a peer that can dial no address to join says so, and which addresses it needs', async () => {
  const [tcp, ws, tls] = ['/ip4/127.0.0.1/tcp/4001', '/ip4/127.0.0.1/tcp/4002/ws', '/dns4/a.example.org/tcp/443/tls/ws']
  expect(() => checkJoin([tcp!], browserPreset)).toThrow(
    expect.objectContaining({ code: 'NETWORK_BAD_ADDRESS', message: expect.stringContaining('ends in /ws') }),
  )
  for (const join of [[], [tcp!, ws!], [tls!]]) expect(() => checkJoin(join, browserPreset)).not.toThrow()

  const relayed = `${tcp}/p2p/12D3KooWRkPQVvcELuSw6qA7WRiTCLbKaksf4w7NRzfQEbfumvKj/p2p-circuit`
  await expect(libp2pNetwork({ channels: open, join: [relayed] })).rejects.toMatchObject({
    code: 'NETWORK_BAD_ADDRESS',
  })
})
