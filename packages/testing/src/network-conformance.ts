import type { Network, NetworkEvents, PeerId } from '@gossipgrid/core'
import { afterEach, describe, expect, it, vi } from 'vitest'

/** How the suite creates the adapter under test. */
export interface NetworkHarness {
  /** A new network of the same grid, not started. The suite stops every network it makes. */
  network(options: { readonly join: readonly string[] }): Promise<Network>
  /** An address in the adapter's own form at which no peer answers. */
  readonly unreachableAddress: string
}

/** A started network with everything it has reported. */
export interface RecordedNetwork {
  readonly network: Network
  readonly connected: PeerId[]
  readonly disconnected: PeerId[]
  readonly messages: { readonly from: PeerId; readonly bytes: Uint8Array }[]
  readonly frames: { readonly from: PeerId; readonly bytes: Uint8Array }[]
  readonly broadcasts: { readonly author: PeerId; readonly bytes: Uint8Array }[]
  readonly hostile: PeerId[]
}

/** Starts the network and records its reports. */
export async function recordNetwork(network: Network): Promise<RecordedNetwork> {
  const recorded: RecordedNetwork = {
    network,
    connected: [],
    disconnected: [],
    messages: [],
    frames: [],
    broadcasts: [],
    hostile: [],
  }
  const events: NetworkEvents = {
    connected: (neighbour) => void recorded.connected.push(neighbour),
    disconnected: (neighbour) => void recorded.disconnected.push(neighbour),
    message: (from, bytes) => void recorded.messages.push({ from, bytes }),
    direct: (from, bytes) => void recorded.frames.push({ from, bytes }),
    broadcast: (author, bytes) => void recorded.broadcasts.push({ author, bytes }),
    hostile: (neighbour) => void recorded.hostile.push(neighbour),
  }
  await network.start(events)
  return recorded
}

/** Waits until `condition` holds; fails after 60 s. */
export async function eventually(condition: () => boolean, what: string): Promise<void> {
  await vi.waitFor(() => expect(condition(), what).toBe(true), { timeout: 60_000, interval: 10 })
}

/** Publishes until `receiver` has one of the frames: single ones may be lost, above all in the first second. */
export async function publishUntil(sender: Network, receiver: RecordedNetwork): Promise<void> {
  const before = receiver.broadcasts.length
  for (let attempt = 0; attempt < 600 && receiver.broadcasts.length === before; attempt += 1) {
    await sender.publish(Uint8Array.of(250, attempt))
    await pause(100)
  }
  expect(receiver.broadcasts.length, 'broadcasts received').toBeGreaterThan(before)
}

interface Suite {
  /** A started network that joins by the given ones. */
  start(...join: RecordedNetwork[]): Promise<RecordedNetwork>
  /** Two connected networks. */
  pair(): Promise<[RecordedNetwork, RecordedNetwork]>
  readonly harness: NetworkHarness
}

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

function registerDirect({ start, pair }: Suite): void {
  it('frames arrive whole, in order and once, both ways', async () => {
    const [ada, ben] = await pair()
    const count = 2000
    const sending = [ada, ben].map(async ({ network }, side) => {
      const to = side === 0 ? ben : ada
      for (let i = 0; i < count; i += 1) {
        expect(await network.sendDirect([to.network.peerId], numbered(i, i % 90))).toEqual([])
      }
    })
    await Promise.all(sending)
    for (const [receiver, sender] of [
      [ada, ben],
      [ben, ada],
    ] as const) {
      await eventually(() => receiver.frames.length >= count, 'all have arrived')
      expect(receiver.frames.map(({ bytes }) => bytes)).toEqual(
        Array.from({ length: count }, (_, i) => numbered(i, i % 90)),
      )
      expect(new Set(receiver.frames.map(({ from }) => from))).toEqual(new Set([sender.network.peerId]))
    }
  })

  it('a frame goes to the named neighbours, and those that miss it are returned', async () => {
    const ada = await start()
    const ben = await start(ada)
    const cora = await start(ada)
    await eventually(() => ada.connected.length === 2, 'all are connected')
    const bytes = Uint8Array.of(1, 2, 3)
    const sending = ada.network.sendDirect([ben.network.peerId, 'a stranger'], bytes)
    bytes.fill(9)
    expect(await sending).toEqual(['a stranger'])
    await eventually(() => ben.frames.length === 1, 'it has arrived')
    await pause(100)
    expect(ben.frames[0]).toEqual({ from: ada.network.peerId, bytes: Uint8Array.of(1, 2, 3) })
    expect(cora.frames).toEqual([])
  })

  it('a large frame arrives, and one above the limit throws RangeError', async () => {
    const [ada, ben] = await pair()
    await ada.network.sendDirect([ben.network.peerId], numbered(7, 200_000))
    await eventually(() => ben.frames.length === 1, 'it has arrived')
    expect(ben.frames[0]?.bytes).toEqual(numbered(7, 200_000))
    const huge = new Uint8Array(64 * 1024 * 1024)
    await expect(ada.network.sendDirect([ben.network.peerId], huge)).rejects.toMatchObject({
      code: 'MESSAGE_TOO_LARGE',
    })
  })

  it('a slow neighbour misses frames, which is reported, and the others get them all', async () => {
    const [ada, ben] = await pair()
    await ada.network.sendDirect([ben.network.peerId], numbered(0, 4))
    await eventually(() => ben.frames.length === 1, 'the stream is open')
    const sending = Array.from({ length: 64 }, (_, i) =>
      ada.network.sendDirect([ben.network.peerId], numbered(i + 1, 100_000)),
    )
    const missed = (await Promise.all(sending)).filter((peers) => peers.length > 0).length
    expect(missed).toBeGreaterThan(0)
    await eventually(() => ben.frames.length === 65 - missed, 'the others have arrived')
  })

  it('frames go on after the two have met again', async () => {
    const [ada, ben] = await pair()
    await ada.network.sendDirect([ben.network.peerId], numbered(1, 4))
    await eventually(() => ben.frames.length === 1, 'it has arrived')
    await ben.network.redial(ada.network.peerId)
    await eventually(() => ada.connected.length === 2 && ben.connected.length === 2, 'they have met again')
    expect(await ada.network.sendDirect([ben.network.peerId], numbered(2, 4))).toEqual([])
    expect(await ben.network.sendDirect([ada.network.peerId], numbered(3, 4))).toEqual([])
    await eventually(() => ben.frames.length === 2 && ada.frames.length === 1, 'frames flow')
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

function registerParting({ start, pair }: Suite): void {
  it('a neighbour that stops is reported once, and send fails from then on', async () => {
    const [ada, ben] = await pair()
    await ben.network.stop()
    await eventually(() => ada.disconnected.length > 0, 'the end is reported')
    await pause(100)
    expect(ada.disconnected).toEqual([ben.network.peerId])
    await expect(ada.network.send(ben.network.peerId, Uint8Array.of(1))).rejects.toMatchObject({
      code: 'NETWORK_NOT_CONNECTED',
    })
  })

  it('messages that send has accepted arrive before a network stops', async () => {
    const [ada, ben] = await pair()
    const sending: Promise<void>[] = []
    for (let i = 0; i < 100; i += 1) sending.push(ada.network.send(ben.network.peerId, numbered(i, 1000)))
    await Promise.all(sending)
    await ada.network.stop()
    await eventually(() => ben.disconnected.length === 1, 'the end is reported')
    expect(ben.messages.length).toBe(100)
  })

  it('stop may be called twice, also at the same time', async () => {
    const { network } = await start()
    await Promise.all([network.stop(), network.stop()])
    await network.stop()
  })

  it('a refused neighbour is disconnected, and can connect again only when the time is over', async () => {
    const [ada, ben] = await pair()
    await ada.network.refuse(ben.network.peerId, 1500)
    await eventually(() => ada.disconnected.length === 1 && ben.disconnected.length === 1, 'they have parted')
    const toAda = ada.network.addresses()[0] as string
    await expect(ben.network.dial(toAda)).rejects.toMatchObject({ code: 'NETWORK_DIAL_FAILED' })
    expect(ada.connected.length).toBe(1)
    await eventually(() => ada.connected.length === 2 && ben.connected.length === 2, 'they have met again')
  })

  it('redial closes the connection and makes it again', async () => {
    const [ada, ben] = await pair()
    await ben.network.redial(ada.network.peerId)
    await eventually(() => ada.connected.length === 2 && ben.connected.length === 2, 'they have met again')
    expect(ada.disconnected).toEqual([ben.network.peerId])
    expect(ben.disconnected).toEqual([ada.network.peerId])
    await ben.network.send(ada.network.peerId, Uint8Array.of(5))
    await eventually(() => ada.messages.length === 1, 'messages flow')
    await publishUntil(ben.network, ada)
    await publishUntil(ada.network, ben)
  })
}

/** `sizeBytes` bytes, at least four, that begin with a number. */
function numbered(number: number, sizeBytes: number): Uint8Array {
  const bytes = new Uint8Array(Math.max(4, sizeBytes)).fill(number % 256)
  new DataView(bytes.buffer).setUint32(0, number)
  return bytes
}

function pause(waitMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, waitMs))
}
