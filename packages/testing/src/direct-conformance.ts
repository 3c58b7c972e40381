import { expect, it } from 'vitest'
import { eventually, numbered, pause } from './recorded-conformance.ts'
import type { Suite } from './recorded-conformance.ts'

/** The promises of `Network` on frames that go straight to neighbours. */
export function registerDirect({ start, pair }: Suite): void {
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
