/**
 * Run by `runtimes.test.ts` under each server runtime: two peers meet, one over TCP and one over WebSockets, talk both
 * ways with frames of many sizes, and stop. Prints one line of JSON; the process then has to end by itself. Before that,
 * dials are aborted at each step of theirs: none of them may end the process.
 */
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import type { NetworkEvents } from '@gossipgrid/core'
import { tcp } from '@libp2p/tcp'
import { multiaddr } from '@multiformats/multiaddr'
import { deriveChannel } from './channel.ts'
import { libp2pNetwork } from './libp2p-network.ts'
import type { Libp2pNetwork } from './libp2p-port.ts'
import { sheltered } from './server-transports.ts'
import { OpenSockets } from './socket-ends.ts'

const SIZES = [5, 1199, 1200, 5000, 500_000]
const LIMIT_MS = 60_000

const received: string[] = []
const channels = [await deriveChannel('runtimes', 'a secret, so that each runtime shows its cryptography')]

async function start(name: string, join: string[]): Promise<Libp2pNetwork> {
  const network = await libp2pNetwork({
    channels,
    listen: ['/ip4/127.0.0.1/tcp/0', '/ip4/127.0.0.1/tcp/0/ws'],
    mdns: false,
    join,
  })
  const events: NetworkEvents = {
    connected: () => undefined,
    disconnected: () => undefined,
    message: (_from, bytes) => void received.push(`${name} message ${bytes.length}`),
    broadcast: (_author, bytes) => void received.push(`${name} broadcast ${bytes.length}`),
    direct: () => undefined,
    hostile: () => undefined,
  }
  await network.start(events)
  return network
}

async function until(condition: () => boolean): Promise<void> {
  const endMs = performance.now() + LIMIT_MS
  while (!condition()) {
    if (performance.now() > endMs) throw new Error(`waited too long; received ${received.join(', ')}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

async function abortDials(): Promise<void> {
  const server = createServer((socket) => socket.on('error', () => undefined)).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const log = Object.assign(() => undefined, { error: () => undefined, newScope: () => log })
  const transport = sheltered<object>(tcp() as never, new OpenSockets())({ logger: { forComponent: () => log } })
  const address = multiaddr(`/ip4/127.0.0.1/tcp/${(server.address() as AddressInfo).port}`)
  for (let turns = 0; turns < 20; turns += 1) {
    const aborting = new AbortController()
    const upgrader = { upgradeOutbound: () => Promise.reject(new Error('not needed')) }
    const dialled = transport.dial(address, { signal: aborting.signal, upgrader } as never)
    dialled.catch(() => undefined)
    for (let i = 0; i < turns; i += 1) await (turns < 10 ? undefined : setImmediate())
    aborting.abort()
    if (
      await dialled.then(
        () => true,
        () => false,
      )
    )
      throw new Error('an aborted dial has connected')
  }
  server.close()
}

await abortDials()
const ada = await start('ada', [])
const ben = await start('ben', [ada.addresses().find((address) => !address.includes('/ws')) as string])
const cora = await start('cora', [ada.addresses().find((address) => address.includes('/ws')) as string])
await until(() => [ada, ben, cora].every((peer) => peer.neighbours().length === (peer === ada ? 2 : 1)))
for (const size of SIZES) {
  for (const other of [ben, cora]) {
    await ada.send(other.peerId, new Uint8Array(size))
    await other.send(ada.peerId, new Uint8Array(size))
  }
}
await until(() => received.length === SIZES.length * 4)
for (const size of SIZES) {
  // Repeated, since the first ones may come before gossip has found its mesh.
  const expected = ['ada', 'cora'].map((name) => `${name} broadcast ${size}`)
  for (let i = 0; i < 100 && !expected.every((line) => received.includes(line)); i += 1) {
    await ben.publish(new Uint8Array(size))
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  await until(() => expected.every((line) => received.includes(line)))
}
const startMs = performance.now()
await Promise.all([ada.stop(), ben.stop(), cora.stop()])
console.log(JSON.stringify({ stopMs: Math.round(performance.now() - startMs) }))
