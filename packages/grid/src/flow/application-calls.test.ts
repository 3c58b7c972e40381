import { memoryNetworkHub } from '@gossipgrid/testing/memory-network'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Grid } from '../grid.ts'
import type { Logger } from '../logger.ts'
import type { StandardSchema } from '../maps/schema.ts'
import { TestGrids, diskInMemory, until } from '../rig/test-grids.ts'

let grids = new TestGrids()

afterEach(async () => {
  await grids.close()
  grids = new TestGrids()
  vi.restoreAllMocks()
})

function collecting(): { logger: Logger; errors: string[] } {
  const errors: string[] = []
  const ignore = (): void => undefined
  return { logger: { debug: ignore, info: ignore, warn: ignore, error: (line) => void errors.push(line) }, errors }
}

/** The name of the method that makes a promise of an object. */
const THEN = String('then')

const fail = (): Promise<never> => Promise.reject(new Error('mine'))

/** Registers a listener, then makes happen what it listens to. */
const events: [string, string, (grid: Grid, listener: () => Promise<never>) => Promise<unknown>][] = [
  [
    'a change of a map',
    'change',
    (grid, listener) => {
      grid.map('m').on('change', listener)
      return grid.map('m').set('k', 1)
    },
  ],
  [
    'a change of a set',
    'change',
    (grid, listener) => {
      grid.set('s').on('change', listener)
      return grid.set('s').add('a')
    },
  ],
  [
    'a change of a counter',
    'change',
    (grid, listener) => {
      grid.counter('c').on('change', listener)
      return grid.counter('c').increment()
    },
  ],
  [
    'a message',
    'message',
    (grid, listener) => {
      grid.topic('t').on('message', listener)
      return grid.topic('t').publish('hi')
    },
  ],
  [
    'a presence',
    'change',
    (grid, listener) => {
      grid.presence().on('change', listener)
      return Promise.resolve(grid.presence().set('here'))
    },
  ],
  [
    'a member',
    'member',
    (grid, listener) => {
      grid.on('member', listener)
      return grids.open()
    },
  ],
  [
    'the end of a document',
    'close',
    async (grid, listener) => {
      const document = await grid.doc('d')
      document.on('close', listener)
      return document.close()
    },
  ],
  [
    'the end of the grid',
    'close',
    (grid, listener) => {
      grid.on('close', listener)
      return grid.close()
    },
  ],
]

describe('an async listener that rejects', () => {
  it.each(events)('at %s is logged, and everything goes on', async (_, event, happen) => {
    const { logger, errors } = collecting()
    const grid = await grids.open({ logger })
    await happen(grid, fail)
    await until(() => errors.includes(`a listener of '${event}' rejected: Error: mine`), 'it is logged')
  })
})

describe('a logger that fails', () => {
  it.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('no room')
      },
    ],
    ['rejects', () => Promise.reject(new Error('no room'))],
  ])('because it %s is reported once on the console, and everything goes on', async (_, broken) => {
    const lines: unknown[] = []
    vi.spyOn(console, 'error').mockImplementation((line) => void lines.push(line))
    const disk = diskInMemory()
    const grid = await grids.open({
      storage: disk,
      logger: { debug: broken, info: broken, warn: broken, error: broken },
    })
    grid.map('m').on('change', fail)
    disk.failure = new Error('full')
    await expect(grid.map('m').set('k', 1)).rejects.toMatchObject({ code: 'STORAGE_FAILED' })
    disk.failure = undefined
    const writes = async (): Promise<boolean> => {
      const receipt = await grid
        .map('m')
        .set('k', 2)
        .catch(() => undefined)
      return receipt?.durable === true
    }
    await until(writes, 'writes are durable again')
    await grid.close()
    expect(lines).toEqual([expect.stringMatching(/^gossipgrid: the logger (threw|rejected): Error: no room; /)])
  })

  it('is called as a method of its own object', async () => {
    class Lines {
      readonly lines: string[] = []
      debug(): void {}
      info(): void {}
      warn(): void {}
      error(line: string): void {
        this.lines.push(line)
      }
    }
    const logger = new Lines()
    const grid = await grids.open({ logger })
    grid.on('close', fail)
    await grid.close()
    await until(() => logger.lines.length === 1, 'the line has come')
  })
})

describe('a function that must answer at once', () => {
  const invalid = (code: string): unknown => expect.objectContaining({ code })

  it('is refused when it is async, also when its promise rejects', async () => {
    const grid = await grids.open()
    const map = grid.map<unknown>('m')
    await expect(map.update('k', fail)).rejects.toEqual(invalid('INVALID_VALUE'))
    await expect(map.transact(fail as () => never)).rejects.toEqual(invalid('INVALID_OPTION'))
    await expect(grid.transact(fail as () => never)).rejects.toEqual(invalid('INVALID_OPTION'))
    expect(map.size).toBe(0)
  })

  it.each([
    ['rejects', fail],
    [
      'gives a promise of another library',
      () => ({ [THEN]: (_: unknown, no: (e: Error) => void) => no(new Error('x')) }),
    ],
  ])('is refused as a schema that %s', async (_, validate) => {
    const grid = await grids.open()
    const schema = { '~standard': { version: 1, vendor: 'mine', validate } } as unknown as StandardSchema<unknown>
    expect(() => grid.map('m', { schema })).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }))
  })

  it('is a schema without a result for every value, not one that breaks the map', async () => {
    const [first, second] = [await grids.open(), await grids.open()]
    await second.ready()
    const schema = { '~standard': { version: 1, vendor: 'mine', validate: () => undefined } }
    const map = second.map('m', { schema: schema as unknown as StandardSchema<unknown> })
    await expect(map.set('k', 1)).rejects.toEqual(invalid('SCHEMA'))
    await first.map('m').set('k', 1)
    await until(() => second.status().collections[0]?.hidden === 1, 'it has come, and is hidden')
    expect(map.size).toBe(0)
  })
})

it('a network whose calls throw is a network that fails, and the peer goes on', async () => {
  const { logger, errors } = collecting()
  const called = new Set<string>()
  const broken = (name: string) => (): never => {
    called.add(name)
    throw new Error('of the network')
  }
  const hub = memoryNetworkHub()
  const names = ['publish', 'send', 'redial', 'refuse']
  const network = Object.assign(hub.network(), Object.fromEntries(names.map((name) => [name, broken(name)])))
  const grid = await grids.open({ logger, network: () => Promise.resolve(network) })
  const joining = hub.network({ join: [`memory:${network.peerId}`] })
  const other = await grids.open({ network: () => Promise.resolve(joining) })
  await grid.map('m').set('k', 1)
  await grid.topic('t').publish(1)
  await until(() => called.has('send') && called.has('publish'), 'it was asked to')
  expect(grid.map('m').peek('k')).toBe(1)
  expect(other.map('m').size).toBe(0)
  expect(errors).toEqual([])
})
