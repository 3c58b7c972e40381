import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Doc } from 'yjs'
import { GridProvider } from './yjs.ts'
import type { Grid } from './grid.ts'
import { TestGrids } from './rig/test-grids.ts'

const grids = new TestGrids()
let grid: Grid

beforeAll(async () => {
  grid = await grids.open()
})
afterAll(() => grids.close())

/** A misspelt option, and the one that is meant. */
const calls: Readonly<Record<string, (options: object) => unknown>> = {
  'map ttlms ttlMs': (options) => grid.map('m', options),
  'map merg merge': (options) => grid.map('m', options),
  'map.set copys copies': (options) => grid.map('m').set('k', 1, options),
  'map.set ttl ttlMs': (options) => grid.map('m').set('k', 1, options),
  'map.update timeoutMS timeoutMs': (options) => grid.map<number>('m').update('k', () => 1, options),
  'map.delete singal signal': (options) => grid.map('m').delete('k', options),
  'map.transact copy copies': (options) => grid.map('m').transact((batch) => batch.set('k', 1), options),
  'map.entries prefx prefix': (options) => grid.map('m').entries(options).next(),
  'map.keys Prefix prefix': (options) => grid.map('m').keys(options).next(),
  'batch.set ttlMS ttlMs': (options) => grid.map('m').transact((batch) => batch.set('k', 1, options)),
  'grid.transact copie copies': (options) => grid.transact((batch) => batch.map('m').set('k', 1), options),
  'grid.ready signals signal': (options) => grid.ready(options),
  'map.changes bufferMx bufferMax': (options) => grid.map('m').changes(options),
  'map.changes initail initial': (options) => grid.map('m').changes(options),
  'map.on signl signal': (options) => grid.map('m').on('change', () => undefined, options),
  'map.textIndex prefx prefix': (options) => grid.map('m').textIndex('a', options as never),
  'set.add copys copies': (options) => grid.set('s').add('x', options),
  'set.delete copys copies': (options) => grid.set('s').delete('x', options),
  'set.values singal signal': (options) => grid.set('s').values(options),
  'set.changes intial initial': (options) => grid.set('s').changes(options),
  'set.on signall signal': (options) => grid.set('s').on('change', () => undefined, options),
  'counter.changes buffermax bufferMax': (options) => grid.counter('c').changes(options),
  'topic.messages owns own': (options) => grid.topic('t').messages(options),
  'topic.on ow own': (options) => grid.topic('t').on('message', () => undefined, options),
  'presence.changes inital initial': (options) => grid.presence().changes(options),
  'presence.on signa signal': (options) => grid.presence().on('change', () => undefined, options),
  'grid.on signa signal': (options) => grid.on('member', () => undefined, options),
  'counter.increment copys copies': (options) => grid.counter('c').increment(1, options),
  'doc awarness awareness': (options) => grid.doc('d', options),
  'provider conect connect': (options) => new GridProvider(grid, 'd', new Doc(), options),
}

describe('an option that there is not', () => {
  for (const [call, run] of Object.entries(calls)) {
    const [method, wrong = '', right] = call.split(' ')
    it(`is refused by ${method}, which names the one that is meant`, async () => {
      const running = (async () => run({ [wrong]: 1 }))()
      await expect(running).rejects.toMatchObject({
        code: 'INVALID_OPTION',
        message: `there is no option "${wrong}": did you mean '${right}'?`,
      })
    })
  }

  it('has written nothing', () => {
    expect(grid.map('m').size).toBe(0)
    expect(grid.set('s').size).toBe(0)
    expect(grid.counter('c').value).toBe(0)
  })
})
