import { encodeValue } from '@gossipgrid/core'
import { expect, it, onTestFinished, vi } from 'vitest'
import { TestGrids } from '../rig/test-grids.ts'
import { GUESTS_TOPIC } from './grid-signals.ts'
import type { GridSignals } from './grid-signals.ts'

const taken = vi.hoisted(() => ({ loads: 0, messages: 0 }))

vi.mock('./guest-presences.ts', () => ({
  get GuestPresences(): unknown {
    taken.loads += 1
    if (taken.loads === 1) throw new Error('the code cannot be fetched')
    return class {
      take(): void {
        taken.messages += 1
      }
      close(): void {
        taken.messages += 0
      }
    }
  },
}))

it('code for the presence of guests that could not be loaded is loaded with the next message', async () => {
  const grids = new TestGrids()
  onTestFinished(() => grids.close())
  const { signals } = (await grids.open()) as unknown as { readonly signals: GridSignals }
  const message = { topic: GUESTS_TOPIC, value: encodeValue([], 100) }
  signals.receive('member', message)
  await vi.waitFor(() => expect(taken.loads).toBe(1))
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(taken.messages).toBe(0)
  signals.receive('member', message)
  await vi.waitFor(() => expect(taken.messages).toBe(1))
})
