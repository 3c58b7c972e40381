import { setTimeout as delay } from 'node:timers/promises'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import type { Libp2p } from 'libp2p'
import { afterEach, expect, test, vi } from 'vitest'
import { quickNoise } from './quick-noise.ts'
import { noiseOptions } from './server-transports.ts'

const PROTOCOL = '/quick-noise/1'
const nodes: Libp2p[] = []

afterEach(async () => {
  vi.unstubAllGlobals()
  await Promise.all(nodes.splice(0).map(async (node) => node.stop()))
})

async function opened(): Promise<Libp2p> {
  const node = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [quickNoise(noiseOptions())],
    streamMuxers: [yamux()],
    connectionGater: { denyDialMultiaddr: () => false },
  })
  nodes.push(node)
  return node
}

/** Counts the errors of this type that anything makes from now on. */
function countRangeErrors(): { count: number } {
  const made = { count: 0 }
  const counting = new Proxy(RangeError, {
    apply: (target, _, parameters: [string]) => {
      made.count += 1
      return target(...parameters)
    },
    construct: (target, parameters: [string]) => {
      made.count += 1
      return new target(...parameters)
    },
  })
  vi.stubGlobal('RangeError', counting)
  return made
}

test('packets of any size arrive whole and in order, both ways, and none of them costs an error', async () => {
  const [a, b] = [await opened(), await opened()]
  await b.handle(PROTOCOL, (stream) => {
    stream.addEventListener('message', ({ data }) => void stream.send(data))
  })
  const stream = await a.dialProtocol(b.getMultiaddrs(), PROTOCOL)
  const echoed: Uint8Array[] = []
  stream.addEventListener('message', ({ data }) => echoed.push(data.subarray()))
  const bytesBack = (): number => echoed.reduce((sum, { length }) => sum + length, 0)

  const errors = countRangeErrors()
  const sent: Uint8Array[] = []
  for (const sizeBytes of [1, 2, 100, 65_519, 65_520, 200_000, 3]) {
    const bytes = Uint8Array.from({ length: sizeBytes }, (_, i) => (i * 7 + sizeBytes) & 0xff)
    sent.push(bytes)
    if (!stream.send(bytes)) await stream.onDrain()
    // Each of them alone, and then the next.
    const due = sent.reduce((sum, { length }) => sum + length, 0)
    await vi.waitFor(() => expect(bytesBack()).toBe(due), { timeout: 10_000, interval: 5 })
    await delay(5)
  }
  expect(Buffer.concat(echoed).equals(Buffer.concat(sent))).toBe(true)
  expect(errors.count).toBe(0)
})
