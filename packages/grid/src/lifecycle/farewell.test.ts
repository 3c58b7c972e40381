import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { memoryStorage } from '@gossipgrid/storage'
import type { Storage } from '@gossipgrid/core'
import { TestGrids } from '../rig/test-grids.ts'

let grids: TestGrids

beforeEach(() => void (grids = new TestGrids()))
afterEach(() => grids.close())

/** A disk: what goes to it may leave the peer only when it is there. */
function disk(): Storage {
  const memory = memoryStorage()
  return {
    persistent: true,
    read: (key) => memory.read(key),
    list: (prefix) => memory.list(prefix),
    write: (batch, options) => memory.write(batch, options),
    close: () => memory.close(),
  }
}

describe('a peer that closes right after a write', () => {
  it.each([
    ['to its disk', disk],
    ['in memory', memoryStorage],
  ])('%s has given it to its neighbours', async (_, storage) => {
    const stays = await grids.open()
    for (const turn of [1, 2, 3]) {
      const goes = await grids.open({ storage: storage() })
      await goes.ready()
      await goes.counter('runs').increment()
      await goes.map('notes').set('turn', turn)
      await goes.close()
      expect([stays.counter('runs').value, stays.map('notes').peek('turn')]).toEqual([turn, turn])
    }
  })
})
