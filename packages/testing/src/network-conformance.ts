import type { Network } from '@gossipgrid/core'
import { afterEach, describe, expect, it } from 'vitest'
import { registerDirect } from './direct-conformance.ts'
import { registerParting } from './parting-conformance.ts'
import { eventually, numbered, pause, publishUntil, recordNetwork } from './recorded-conformance.ts'
import type { NetworkHarness, RecordedNetwork, Suite } from './recorded-conformance.ts'

export { eventually, publishUntil, recordNetwork } from './recorded-conformance.ts'
export type { NetworkHarness, RecordedNetwork } from './recorded-conformance.ts'

/**
 * Registers vitest tests that hold an adapter of core's `Network` port to the promises of its doc comments.
 *
 * @example
 * ```ts
 * const hub = memoryNetworkHub()
 * networkConformance('memory', {
 *   network: async (options) => hub.network(options),
 *   unreachableAddress: 'memory:nowhere',
 * })
 * ```
 */
export function networkConformance(name: string, harness: NetworkHarness): void {
  describe(`${name} keeps the promises of the network port`, () => {
    const running = new Set<Network>()
    const start = async (...join: RecordedNetwork[]): Promise<RecordedNetwork> => {
      const addresses = join.map(({ network }) => network.addresses()[0] as string)
      const network = await harness.network({ join: addresses })
      running.add(network)
      return recordNetwork(network)
    }
    const pair = async (): Promise<[RecordedNetwork, RecordedNetwork]> => {
      const ada = await start()
      const ben = await start(ada)
      await eventually(() => ada.connected.length === 1 && ben.connected.length === 1, 'the two have met')
      return [ada, ben]
    }
    afterEach(async () => {
      await Promise.all([...running].map((network) => network.stop()))
      running.clear()
    })
    const suite: Suite = { start, pair, harness }
    registerMeeting(suite)
    registerMessages(suite)
    registerRoom(suite)
    registerDirect(suite)
    registerBroadcast(suite)
    registerParting(suite)
  })
}

function registerMeeting({ start, pair, harness }: Suite): void {
  it('two networks meet, and each reports it once', async () => {
    const [ada, ben] = await pair()
    await pause(200)
    expect(ada.connected).toEqual([ben.network.peerId])
    expect(ben.connected).toEqual([ada.network.peerId])
    expect(ada.network.peerId).not.toBe(ben.network.peerId)
  })

  it('three networks meet at the one they join by', async () => {
    const ada = await start()
    const others = [await start(ada), await start(ada)]
    await eventually(() => ada.connected.length === 2, 'both have joined')
    expect(new Set(ada.connected)).toEqual(new Set(others.map(({ network }) => network.peerId)))
  })

  it('dialling twice, and from both sides at once, makes one neighbour', async () => {
    const ada = await start()
    const ben = await start()
    const toAda = ada.network.addresses()[0] as string
    const toBen = ben.network.addresses()[0] as string
    const dialled = await Promise.all([ben.network.dial(toAda), ben.network.dial(toAda), ada.network.dial(toBen)])
    expect(dialled).toEqual([ada.network.peerId, ada.network.peerId, ben.network.peerId])
    expect(await ben.network.dial(toAda)).toBe(ada.network.peerId)
    await pause(200)
    expect(ada.connected).toEqual([ben.network.peerId])
    expect(ben.connected).toEqual([ada.network.peerId])
    expect(ada.disconnected).toEqual([])
  })

  it('an unusable address and one that does not answer give different errors', async () => {
    const { network } = await start()
    await expect(network.dial('localhost:4001')).rejects.toMatchObject({ code: 'NETWORK_BAD_ADDRESS' })
    await expect(network.dial(harness.unreachableAddress)).rejects.toMatchObject({ code: 'NETWORK_DIAL_FAILED' })
    await expect(network.dial(harness.unreachableAddress, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'NETWORK_DIAL_FAILED',
    })
  })

  it('a network starts only once', async () => {
    const ada = await start()
    await expect(recordNetwork(ada.network)).rejects.toMatchObject({ code: 'NETWORK_START_FAILED' })
  })
}

function registerMessages({ pair }: Suite): void {
  it('many small messages arrive whole, in order and once, both ways', async () => {
    const [ada, ben] = await pair()
    const count = 5000
    const sending = [ada, ben].map(async ({ network }, side) => {
      const to = side === 0 ? ben : ada
      for (let i = 0; i < count; i += 1) await network.send(to.network.peerId, numbered(i, i % 90))
    })
    await Promise.all(sending)
    for (const [receiver, sender] of [
      [ada, ben],
      [ben, ada],
    ] as const) {
      await eventually(() => receiver.messages.length >= count, 'all have arrived')
      expect(receiver.messages.length).toBe(count)
      for (let i = 0; i < count; i += 1) {
        expect(receiver.messages[i]?.from).toBe(sender.network.peerId)
        expect(receiver.messages[i]?.bytes).toEqual(numbered(i, i % 90))
      }
    }
  })

  it('empty, large and small messages keep their order', async () => {
    const [ada, ben] = await pair()
    const sizes = [0, 3_000_000, 1, 65_468, 65_469, 0, 200_000, 7]
    for (const size of sizes) void ada.network.send(ben.network.peerId, new Uint8Array(size).fill(size % 251))
    await eventually(() => ben.messages.length >= sizes.length, 'all have arrived')
    expect(ben.messages.map(({ bytes }) => bytes.length)).toEqual(sizes)
    for (const { bytes } of ben.messages) expect(bytes.every((byte) => byte === bytes.length % 251)).toBe(true)
  })

  it('the caller may overwrite the bytes once send has accepted them', async () => {
    const [ada, ben] = await pair()
    const bytes = Uint8Array.of(1, 2, 3)
    const sent = ada.network.send(ben.network.peerId, bytes)
    bytes.fill(9)
    await sent
    await eventually(() => ben.messages.length === 1, 'it has arrived')
    expect(ben.messages[0]?.bytes).toEqual(Uint8Array.of(1, 2, 3))
  })

  it('a message to a peer that is no neighbour is refused', async () => {
    const [ada] = await pair()
    await expect(ada.network.send('stranger', Uint8Array.of(1))).rejects.toMatchObject({
      code: 'NETWORK_NOT_CONNECTED',
    })
  })

  it('bytes are counted on both sides', async () => {
    const [ada, ben] = await pair()
    await ada.network.send(ben.network.peerId, new Uint8Array(500_000))
    await eventually(() => ben.messages.length === 1, 'it has arrived')
    expect(ada.network.traffic().sentBytes).toBeGreaterThanOrEqual(500_000)
    expect(ben.network.traffic().receivedBytes).toBeGreaterThanOrEqual(500_000)
  })
}

function registerRoom({ pair }: Suite): void {
  it('send waits while the buffer is full, and nothing is lost meanwhile', async () => {
    const [ada, ben] = await pair()
    const count = 24
    let taken = 0
    const sending: Promise<unknown>[] = []
    for (let i = 0; i < count; i += 1) {
      sending.push(ada.network.send(ben.network.peerId, numbered(i, 1_000_000)).then(() => (taken += 1)))
    }
    await Promise.resolve()
    await Promise.resolve()
    expect(taken).toBeLessThan(count / 2)
    await Promise.all(sending)
    await eventually(() => ben.messages.length === count, 'all have arrived')
    expect(ben.messages.map(({ bytes }) => new DataView(bytes.buffer, bytes.byteOffset).getUint32(0))).toEqual(
      Array.from({ length: count }, (_, i) => i),
    )
  })

  it('a message or broadcast above the limit throws RangeError', async () => {
    const [ada, ben] = await pair()
    const huge = new Uint8Array(64 * 1024 * 1024)
    await expect(ada.network.send(ben.network.peerId, huge)).rejects.toMatchObject({ code: 'MESSAGE_TOO_LARGE' })
    await expect(ada.network.publish(huge)).rejects.toMatchObject({ code: 'MESSAGE_TOO_LARGE' })
  })
}

function registerBroadcast({ start, pair }: Suite): void {
  it('a broadcast reaches every peer but its author, including peers that are not its neighbours', async () => {
    const ada = await start()
    const ben = await start(ada)
    const cora = await start(ada)
    await eventually(() => ada.connected.length === 2, 'all are connected')
    await publishUntil(ben.network, cora)
    await publishUntil(ben.network, ada)
    for (const receiver of [ada, cora]) {
      for (const { author } of receiver.broadcasts) expect(author).toBe(ben.network.peerId)
    }
    expect(ben.broadcasts).toEqual([])
  })

  it('a broadcast arrives as it was when it was published', async () => {
    const [ada, ben] = await pair()
    await publishUntil(ada.network, ben)
    const before = ben.broadcasts.length
    const bytes = new Uint8Array(100_000).fill(7)
    const published = ada.network.publish(bytes)
    bytes.fill(8)
    await published
    await eventually(() => ben.broadcasts.length > before, 'it has arrived')
    expect(ben.broadcasts[before]?.bytes.length).toBe(100_000)
    expect(ben.broadcasts[before]?.bytes.every((byte) => byte === 7)).toBe(true)
  })

  it('a broadcast without neighbours is lost without an error', async () => {
    const ada = await start()
    await ada.network.publish(Uint8Array.of(1))
    expect(ada.broadcasts).toEqual([])
  })
}
