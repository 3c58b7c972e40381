/**
 * `mdns.test.ts` runs it in a network of its own: two peers of one grid and one of another, without any addresses to
 * join by. Prints as JSON which peers each one found.
 */
import { deriveChannel, libp2pNetwork } from '@gossipgrid/network'

const listen = ['/ip4/127.0.0.1/tcp/0']
const ours = { channels: [await deriveChannel('mdns', 'our secret')], listen }
const other = { channels: [await deriveChannel('mdns', 'another secret')], listen }
const networks = [await libp2pNetwork(ours), await libp2pNetwork(ours), await libp2pNetwork(other)]
for (const network of networks) {
  await network.start({
    connected: () => undefined,
    disconnected: () => undefined,
    message: () => undefined,
    direct: () => undefined,
    broadcast: () => undefined,
    hostile: () => undefined,
  })
}
await new Promise((resolve) => setTimeout(resolve, 5000))
const nameOf = new Map(networks.map(({ peerId }, index) => [peerId, ['ada', 'ben', 'cora'][index]]))
console.log(JSON.stringify(networks.map((network) => network.neighbours().map((peerId) => nameOf.get(peerId)))))
for (const network of networks) await network.stop()
