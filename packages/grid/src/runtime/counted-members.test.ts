import { memoryNetworkHub } from '@gossipgrid/testing/memory-network'
import type { NetworkEvents } from '@gossipgrid/core'
import { expect, it, vi } from 'vitest'
import { openGrid } from '../open-grid.ts'

it('a network can ask how many other members there are, since redials in a large grid spread over time', async () => {
  const hub = memoryNetworkHub()
  const network = hub.network({})
  const start = network.start.bind(network)
  let events: NetworkEvents | undefined
  network.start = (given) => start((events = given))
  const grid = await openGrid({ name: 'counted', network: async () => network })
  const other = await openGrid({ name: 'counted', network: async () => hub.network({ join: network.addresses() }) })
  await vi.waitFor(() => expect(events!.members!()).toBe(1), { timeout: 10_000 })
  await Promise.all([grid.close(), other.close()])
})
