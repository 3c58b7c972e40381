import { networkConformance } from '@gossipgrid/testing/network-conformance'
import { libp2pNetwork } from './libp2p-network.ts'

networkConformance('the libp2p network over TCP', {
  network: ({ join }) =>
    libp2pNetwork({
      topic: 'conformance',
      protocol: '/gossipgrid/conformance/1',
      listen: ['/ip4/127.0.0.1/tcp/0'],
      mdns: false,
      join,
    }),
  unreachableAddress: '/ip4/127.0.0.1/tcp/1',
})

networkConformance('the libp2p network over WebSockets', {
  network: ({ join }) =>
    libp2pNetwork({
      topic: 'conformance',
      protocol: '/gossipgrid/conformance/1',
      listen: ['/ip4/127.0.0.1/tcp/0/ws'],
      mdns: false,
      join,
    }),
  unreachableAddress: '/ip4/127.0.0.1/tcp/1/ws',
})
