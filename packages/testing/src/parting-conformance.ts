import { expect, it } from 'vitest'
import { eventually, numbered, pause, publishUntil } from './recorded-conformance.ts'
import type { Suite } from './recorded-conformance.ts'

/** The promises of `Network` on neighbours that stop, are refused, are cut off, and meet again. */
export function registerParting({ start, pair }: Suite): void {
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

  it('a network that is cut off has no neighbour, makes and accepts none, and meets them again afterwards', async () => {
    const [ada, ben] = await pair()
    for (const { network } of [ben, ada]) {
      network.setOnline!(false)
      network.setOnline!(false)
      const met = ada.connected.length
      const parted = (): boolean => ada.disconnected.length === met && ben.disconnected.length === met
      await eventually(parted, 'they have parted')
      await expect(ada.network.dial(ben.network.addresses()[0]!)).rejects.toMatchObject({ code: 'NETWORK_DIAL_FAILED' })
      await pause(300)
      expect([ada.connected.length, ben.connected.length]).toEqual([met, met])
      network.setOnline!(true)
      await eventually(() => ada.connected.length > met && ben.connected.length > met, 'they have met again')
    }
    await ada.network.send(ben.network.peerId, Uint8Array.of(1))
    await eventually(() => ben.messages.length === 1, 'messages flow')
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
