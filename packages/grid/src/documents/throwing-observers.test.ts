import { afterEach, expect, it } from 'vitest'
import type { Logger } from '../logger.ts'
import { TestGrids, until } from '../rig/test-grids.ts'

let grids = new TestGrids()

afterEach(async () => {
  await grids.close()
  grids = new TestGrids()
})

it.each(['observe', 'observeDeep', 'update', 'afterTransaction', 'beforeObserverCalls'] as const)(
  'an application that throws in %s loses nothing, and its document goes on',
  async (where) => {
    const errors: string[] = []
    const ignore = (): void => undefined
    const logger: Logger = { debug: ignore, info: ignore, warn: ignore, error: (line) => void errors.push(line) }
    const [first, second] = [await grids.open(), await grids.open({ logger })]
    await second.ready()
    const [one, other] = [await first.doc('d'), await second.doc('d')]
    const fail = (): never => {
      throw new Error('of the application')
    }
    const text = other.y.getText('t')
    if (where === 'observe' || where === 'observeDeep') text[where](fail)
    else other.y.on(where, fail)
    for (const word of ['a', 'b', 'c']) {
      one.y.getText('t').insert(0, word)
      await one.flush()
    }
    await until(() => text.toJSON() === 'cba', 'all edits have come')
    expect(other.endedBy).toBeUndefined()
    expect(errors.some((line) => line.includes('of the application'))).toBe(true)
    expect(() => text.insert(0, 'd')).toThrow('of the application')
    await other.flush()
    await until(() => one.y.getText('t').toJSON() === 'dcba', 'what is edited there is stored and travels')
  },
)
