import { decodeValue, encodeValue } from '@gossipgrid/core'
import type { Network } from '@gossipgrid/core'
import { decodeMessage, encodeMessage } from '@gossipgrid/core/internals'
import type { Message } from '@gossipgrid/core/internals'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TimeSlices } from '../../flow/time-slices.ts'
import type { Grid } from '../../grid.ts'
import { checkAggregate } from '../../queries/aggregate.ts'
import { checkQuery } from '../../queries/check-query.ts'
import { checkSelect } from '../../queries/selection.ts'
import { TestGrids, diskInMemory, until } from '../../rig/test-grids.ts'
import type { WritePath } from '../../runtime/write-path.ts'
import type { PartitionedMap } from '../partitioned-map.ts'
import { Places } from '../places.ts'
import { boundsOf } from './bounds.ts'
import type { Bounds } from './bounds.ts'
import { CopiedMaps } from './copied-maps.ts'
import { ownPart } from './own-part.ts'
import type { Part } from './own-part.ts'
import {
  groupsAnswer,
  groupsQuestion,
  readQuestion,
  readSaid,
  refusal,
  refused,
  rowsAnswer,
  rowsQuestion,
} from './part-question.ts'

type Result = Extract<Message, { type: 'result' }>

const PARTITIONS = Array.from({ length: 16 }, (_, i) => 16 + i)

let grids: TestGrids
beforeEach(() => {
  grids = new TestGrids()
})
afterEach(() => grids.close())

function mapOf(grid: Grid): PartitionedMap<{ n: number }> {
  return grid.map<{ n: number }>('m', { mode: 'partitioned', partitions: 16, owners: 2 })
}

/** An owner of everything, and a member that asks it what a test gives. */
async function owner(): Promise<{ grid: Grid; ask: (question: Uint8Array) => Promise<Result> }> {
  const grid = await grids.open({ storage: diskInMemory() })
  const map = mapOf(grid)
  await until(async () => (await map.size()).complete, 'it is whole')
  await map.setMany(Array.from({ length: 100 }, (_, n) => [`key ${n}`, { n }] as const))
  // An owner answers once it has met a peer.
  await grids.open({ role: 'light' })
  const results: Result[] = []
  const member: Network = await grids.openBareMember((bytes) => {
    const message = decodeMessage(bytes)
    if (message.type === 'result') results.push(message)
  })
  let request = 0
  const ask = async (question: Uint8Array): Promise<Result> => {
    request += 1
    const asked: Message = { type: 'query', request, collection: 'm', kind: 1, partitions: PARTITIONS, question }
    await member.send(grid.peerId, encodeMessage(asked))
    await until(() => results.some((each) => each.request === request), 'it is answered')
    return results.find((each) => each.request === request)!
  }
  await until(async () => (await ask(encodeValue({ rows: {} }, 100))).outcomes[0] === 0, 'it has met the member')
  return { grid, ask }
}

describe('a query of a hostile peer', () => {
  it('is refused like one of a user, whatever it says, and costs its receiver nothing else', async () => {
    const { grid, ask } = await owner()
    const invalid = refusal('invalid')
    let deep: unknown = { n: 1 }
    for (let i = 0; i < 20; i++) deep = { $and: [deep] }
    const questions: unknown[] = [
      null,
      [],
      'rows',
      { rows: null },
      { other: {} },
      { rows: { where: { $where: 'process.exit()' } } },
      { rows: { where: { n: { $regex: '(a+)+$' } } } },
      { rows: { where: deep } },
      { rows: { where: { n: { $in: 'x' } } } },
      { rows: { orderBy: ['__proto__'] } },
      { rows: { orderBy: Array.from({ length: 9 }, (_, i) => `f${i}`) } },
      { rows: { limit: -1 } },
      { rows: { limit: 1e9 } },
      { rows: { after: 'x' } },
      { groups: {} },
      { groups: { count: true, groupBy: 'constructor.__proto__' } },
    ]
    for (const question of questions) {
      const { answer, outcomes, block } = await ask(encodeValue(question, 100_000))
      expect([[...answer], outcomes.every((outcome) => outcome === 0), block.length]).toEqual([[...invalid], true, 0])
    }
    for (const bytes of [[], [0xff], [0xbf], [0xa1, 0x64], [0xc2, 0x5f], [0x9f, 0x9f]])
      expect([...(await ask(Uint8Array.from(bytes))).answer]).toEqual([...invalid])
    const sound = await ask(encodeValue({ rows: { where: { n: { $lt: 5 } }, limit: 3 } }, 1000))
    expect(readSaid(readQuestion(encodeValue({ rows: { limit: 3 } }, 100)), sound.answer)).toMatchObject({
      looked: 100,
    })
    expect((await mapOf(grid).count({ n: { $lt: 5 } })).count).toBe(5)
  })

  it('for some fields is answered with these, and with no row', async () => {
    const { grid, ask } = await owner()
    const map = grid.map<{ n: number; note?: string }>('m', { mode: 'partitioned' })
    await map.set('long', { n: -1, note: 'x'.repeat(1000) })
    const query = checkQuery({ where: { n: { $lt: 0 } }, select: 'n' })
    const question = { type: 'rows', query, cursors: false, fields: checkSelect('n') } as const
    const { answer, block } = await ask(rowsQuestion(question))
    const said = readSaid(question, answer)
    if (said?.type !== 'rows') throw new Error('rows')
    expect(said.picked.map(({ key, content }) => [key, decodeValue(content)])).toEqual([['long', { n: -1 }]])
    expect([answer.length < 200, block.length < 10]).toEqual([true, true])
  })

  it('of any bytes is answered, and its receiver goes on', async () => {
    const { grid, ask } = await owner()
    const near = rowsQuestion({
      type: 'rows',
      query: checkQuery({ where: { n: { $gt: 3 } }, orderBy: '-n', limit: 5 }),
      cursors: true,
      fields: checkSelect(['n', 'm']),
    })
    const mutated = fc.tuple(fc.nat(near.length - 1), fc.nat(255)).map(([place, byte]) => near.with(place, byte))
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.uint8Array({ maxLength: 60 }), mutated), async (bytes) => {
        expect((await ask(bytes)).outcomes.length).toBe(16)
      }),
      { numRuns: 150 },
    )
    expect((await mapOf(grid).count()).count).toBe(100)
  })

  it('that has too many groups gets none of them', async () => {
    const { grid, ask } = await owner()
    await mapOf(grid).setMany(Array.from({ length: 10_000 }, (_, n) => [`more ${n}`, { n: n + 1000 }] as const))
    const { answer } = await ask(groupsQuestion(checkAggregate({ groupBy: 'n', count: true })))
    expect([...answer]).toEqual([...refusal('groups')])
    const light = mapOf(await grids.open({ role: 'light' }))
    await expect(light.aggregate({ groupBy: 'n', count: true })).rejects.toMatchObject({
      code: 'QUERY_TOO_LARGE',
      message: expect.stringContaining('group by a field of fewer values') as string,
    })
  }, 60_000)
})

describe('what a query may cost an owner', () => {
  it('is bounded by the entries that it looks at, and by its turns', async () => {
    const grid = await grids.open({ storage: diskInMemory() })
    const map = mapOf(grid)
    await map.setMany(Array.from({ length: 3000 }, (_, n) => [`key ${n}`, { n }] as const))
    const { pump } = (grid as unknown as { writes: WritePath }).writes
    const places = new Places({ name: 'm', kind: 'map', mode: 'partitioned', partitions: 16 })
    const deps = { pump, copies: new CopiedMaps(pump) }
    const question = readQuestion(encodeValue({ rows: { orderBy: 'n' } }, 100))
    const run = (bounds: Bounds): Promise<Part | undefined> => ownPart(deps, places.all, places, question, bounds)
    const slices = new TimeSlices(() => undefined)
    await expect(run({ slices, lookedMax: 2999 })).rejects.toMatchObject({
      code: 'QUERY_TOO_LARGE',
      message: expect.stringContaining('add an index') as string,
    })
    expect((await run({ slices, lookedMax: 3000 }))!.keys.length).toBe(1792)
    // Each turn is over at once.
    const bounds = boundsOf({ isWanted: () => true, turn: () => Promise.resolve(), turnsMax: 5 })
    Object.assign(bounds.slices, { isOver: () => true })
    await expect(run(bounds)).rejects.toMatchObject({ code: 'QUERY_TOO_LARGE' })
    const unwanted = boundsOf({ isWanted: () => false, turn: () => Promise.resolve(), turnsMax: 5 })
    await expect(run(unwanted)).rejects.toMatchObject({ code: 'ABORTED' })
  })

  it('is said to the peer that asks, with advice', () => {
    for (const why of ['looked', 'turns'] as const) {
      const said = readSaid(readQuestion(encodeValue({ rows: {} }, 100)), refusal(why))
      expect(said?.type).toBe('refused')
      const error = refused((said as { refusal: number }).refusal)
      expect([error.code, error.message.includes('add an index')]).toEqual(['QUERY_TOO_LARGE', true])
    }
    expect(refused(99).code).toBe('INVALID_QUERY')
  })
})

describe('what a hostile owner says to a query', () => {
  it('makes no sense, and counts for nothing', () => {
    const rows = readQuestion(encodeValue({ rows: { orderBy: 'n' } }, 100))
    const groups = readQuestion(encodeValue({ groups: { groupBy: 'n', sum: 'n' } }, 100))
    const senseless: unknown[] = [
      null,
      1,
      [],
      {},
      { looked: -1, ordered: true },
      { looked: 1, ordered: 1 },
      { looked: 1, ordered: true, end: 'x' },
      { looked: 1, ordered: true, end: 5 },
      { looked: 1, ordered: true, index: [1] },
      { groups: 5 },
      { groups: [5] },
      { groups: [[[], 1, []]] },
      { looked: 1, ordered: true, cursors: 5 },
      { looked: 1, ordered: true, picked: [[17, 'k', 5]] },
      { looked: 1, ordered: true, picked: [[17, 'k', 5, Uint8Array.of(0xff)]] },
      { looked: 1, ordered: true, picked: [[17, 5, 5, Uint8Array.of(1)]] },
      { looked: 1, ordered: true, picked: [[17, 'k', 0.5, Uint8Array.of(1)]] },
      { looked: 1, ordered: true, cursors: [[16, 'x']] },
      { looked: 1, ordered: true, cursors: [[-1, Uint8Array.of(1)]] },
      { groups: [[[1], -1, [[1, 1, 1, 1]]]] },
      { groups: [[[1], 1, [['1', 1, 1, 1]]]] },
      { groups: [[[1], 1, [[1, -1, 1, 1]]]] },
    ]
    for (const each of senseless) {
      expect(readSaid(rows, encodeValue(each, 1000))).toBeUndefined()
      expect(readSaid(groups, encodeValue(each, 1000))).toBeUndefined()
    }
    for (const bytes of [[], [0xff], [0xbf]]) expect(readSaid(rows, Uint8Array.from(bytes))).toBeUndefined()
  })

  it('that is sound is read as it was said', () => {
    const rows = readQuestion(encodeValue({ rows: { orderBy: 'n' } }, 100))
    if (rows.type !== 'rows') throw new Error('rows')
    const end = { sort: [{ rank: 3, payload: 5 }], key: 'k' }
    const cursors = new Map([[16, Uint8Array.of(1, 2)]])
    const picked = [{ partition: 17, key: 'k', hlc: 5, content: Uint8Array.of(0xa0) }]
    const said = { type: 'rows', end, looked: 7, index: ['n'], ordered: true, cursors, picked } as const
    expect(readSaid(rows, rowsAnswer(rows.query, said))).toEqual(said)
    const groups = readQuestion(encodeValue({ groups: { groupBy: 'n', sum: 'n' } }, 100))
    const group = { values: [undefined], sort: [], count: 3, fields: [{ sum: 0.5, numbers: 2, min: -1n, max: 'x' }] }
    expect(readSaid(groups, groupsAnswer([group]))).toEqual({ type: 'groups', groups: [group] })
  })
})
