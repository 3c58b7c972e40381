import { afterEach, describe, expect, it } from 'vitest'
import { memoryNetworkHub } from './memory-network.ts'
import { eventually, networkConformance, publishUntil, recordNetwork } from './network-conformance.ts'
import type { RecordedNetwork } from './network-conformance.ts'

const hub = memoryNetworkHub()
networkConformance('the memory network', {
  network: async (options) => hub.network(options),
  unreachableAddress: 'memory:nowhere',
})

describe('a split of the memory network', () => {
  const running: RecordedNetwork[] = []
  afterEach(async () => {
    for (const { network } of running.splice(0)) await network.stop()
  })

  it('parts the groups until it is healed', async () => {
    const split = memoryNetworkHub()
    for (let i = 0; i < 3; i += 1) {
      running.push(await recordNetwork(split.network({ join: running.flatMap(({ network }) => network.addresses()) })))
    }
    const [ada, ben, cora] = running as [RecordedNetwork, RecordedNetwork, RecordedNetwork]
    await eventually(() => running.every(({ connected }) => connected.length === 2), 'all have met')
    split.split([cora.network.peerId])
    expect(cora.disconnected.length).toBe(2)
    expect(ada.disconnected).toEqual([cora.network.peerId])
    await expect(cora.network.dial(ada.network.addresses()[0] as string)).rejects.toMatchObject({
      code: 'NETWORK_DIAL_FAILED',
    })
    await ada.network.publish(Uint8Array.of(1))
    await eventually(() => ben.broadcasts.length === 1, 'the others still hear each other')
    expect(cora.broadcasts).toEqual([])
    split.heal()
    await eventually(() => cora.connected.length === 4, 'all have met again')
    await publishUntil(ada.network, cora)
  })
})
