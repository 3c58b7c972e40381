import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { deriveChannel } from '../channel.ts'
import { libp2pNetwork } from '../libp2p-network.ts'
import type { Libp2pNetwork } from '../libp2p-port.ts'
import { TrialPeer, RUNTIMES } from './trial-peer.ts'
import type { Use } from './trial-peer.ts'

/** With so many file descriptors a peer and the files of its store have to do. */
const DESCRIPTORS = 256
const STORE_FILES = 64
const STRANGERS = 600

const sockets: Socket[] = []
const peers: TrialPeer[] = []
const networks: Libp2pNetwork[] = []

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await Promise.all(networks.splice(0).map((network) => network.stop()))
  await Promise.all(peers.splice(0).map((peer) => peer.end()))
})

/** Connects and says nothing; resolves once it is connected, or turned away. */
function arrive(port: number, localAddress: string): Promise<unknown> {
  const socket = connect({ port, host: '127.0.0.1', localAddress })
  socket.on('error', () => undefined)
  sockets.push(socket)
  return new Promise((resolve) => socket.once('connect', resolve).once('close', resolve))
}

async function newMember(address: string): Promise<Libp2pNetwork> {
  const channels = [await deriveChannel('cost', 'a secret that no stranger has')]
  const network = await libp2pNetwork({ channels, listen: [], mdns: false, join: [address] })
  networks.push(network)
  const nothing = (): void => undefined
  await network.start({
    connected: nothing,
    disconnected: nothing,
    message: nothing,
    direct: nothing,
    broadcast: nothing,
    hostile: nothing,
  })
  return network
}

describe.each(RUNTIMES)('on %s', (_name, command) => {
  it.each([
    ['one address', () => '127.0.0.1'],
    ['many addresses', (i: number) => `127.0.${1 + (i >> 7)}.${1 + (i & 127)}`],
  ])('strangers from %s that send nothing leave room for members and for files', async (_from, addressOf) => {
    const peer = new TrialPeer(['sh', '-c', `ulimit -n ${DESCRIPTORS}; exec "$@"`, 'sh', ...command])
    peers.push(peer)
    const { addresses } = await peer.ask<Use>('use')
    for (const end of ['/ws/', '']) {
      const address = addresses.find((some) => (end === '' ? !some.includes('/ws') : some.includes(end))) as string
      const port = Number(/\/tcp\/(\d+)/.exec(address)?.[1])
      for (let i = 0; i < STRANGERS; i += 50) {
        await Promise.all(Array.from({ length: 50 }, (_, j) => arrive(port, addressOf(i + j))))
      }
      await vi.waitFor(() => expect(sockets.filter(({ closed }) => !closed).length).toBeLessThanOrEqual(64), 20_000)
      expect(await peer.ask(`files ${STORE_FILES}`)).toEqual({ files: STORE_FILES })
      const flood = setInterval(() => void arrive(port, addressOf(Math.floor(Math.random() * 600))), 10)
      const member = await newMember(address)
      await vi.waitFor(() => expect(member.neighbours()).toHaveLength(1), 30_000)
      clearInterval(flood)
    }
  })
})
