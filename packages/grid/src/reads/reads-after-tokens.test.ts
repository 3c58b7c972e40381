import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Grid } from '../grid.ts'
import { TestGrids, diskInMemory } from '../rig/test-grids.ts'

let grids = new TestGrids()

afterEach(async () => {
  await grids.close()
  grids = new TestGrids()
})

/** Two peers in memory that have met, the second of them cut off. */
async function parted(): Promise<[Grid, Grid]> {
  const [writer, reader] = [await grids.open(), await grids.open()]
  await reader.ready()
  grids.split([0], [1])
  return [writer, reader]
}

describe('a token', () => {
  it('is short text for headers and addresses, and part of the receipt as JSON', async () => {
    const grid = await grids.open()
    const receipt = await grid.map('sessions').set('s-1', { user: 'ada' })
    expect(receipt.token).toMatch(/^[\w-]{30,50}$/)
    expect(JSON.parse(JSON.stringify(receipt))).toMatchObject({ token: receipt.token, version: receipt.version })
  })

  it.each([
    ['set of a map', (grid: Grid) => grid.map('m').set('k', 1)],
    ['set of a map with fields', (grid: Grid) => grid.map('f', { merge: 'fields' }).set('k', { a: 1, b: 2 })],
    [
      'setMany',
      async (grid: Grid) =>
        (
          await grid.map('m').setMany([
            ['k', 1],
            ['l', 2],
          ])
        )[1]!,
    ],
    ['add to a set', (grid: Grid) => grid.set('s').add('x')],
    ['increment', (grid: Grid) => grid.counter('c').increment()],
    ['increment under a key', (grid: Grid) => grid.counters('cs').increment('k')],
    ['add under a key', (grid: Grid) => grid.sets('ss').add('k', 'x')],
    [
      'delete',
      async (grid: Grid) => {
        await grid.map('m').set('k', 1)
        return (await grid.map('m').delete('k'))!
      },
    ],
    [
      'flush of a document',
      async (grid: Grid) => {
        const doc = await grid.doc('d')
        doc.y.getText('t').insert(0, 'a')
        return (await doc.flush())!
      },
    ],
  ])('of %s is reached at another peer when it has the write', async (_name, write) => {
    const [writer, reader] = await parted()
    const { token } = await write(writer)
    let reached = false
    const reaching = reader.reached(token).then(() => (reached = true))
    await new Promise((resolve) => setTimeout(resolve, 30))
    expect(reached).toBe(false)
    grids.heal()
    await reaching
    await writer.reached(token, { timeoutMs: 1 })
  })

  it('of a batch names what it wrote to each collection', async () => {
    const [writer, reader] = await parted()
    const receipt = await writer.transact((batch) => {
      batch.map('m').set('k', 1)
      batch.set('s').add('x')
      batch.counter('c').increment(3)
    })
    grids.heal()
    await reader.reached(receipt!.token)
    expect(reader.map('m').peek('k')).toBe(1)
    expect(await reader.set('s').has('x')).toBe(true)
    expect(reader.counter('c').value).toBe(3)
  })

  it('of a bulk write stands for all its entries', async () => {
    const [writer, reader] = await parted()
    async function* rows(): AsyncGenerator<[string, number]> {
      for (let i = 0; i < 3000; i++) yield [`k${i}`, i]
    }
    const { token } = await writer.map('m').setMany(rows())
    grids.heal()
    await reader.reached(token!)
    expect(reader.map('m').size).toBe(3000)
    expect((await writer.map('m').setMany((async function* () {})())).token).toBeUndefined()
  })

  it('is reached when the write was superseded', async () => {
    const [writer, reader] = await parted()
    const { token } = await writer.map('m').set('k', 1)
    await writer.map('m').set('k', 2)
    grids.heal()
    await reader.reached(token)
    expect(reader.map('m').peek('k')).toBe(2)
  })

  it('is reached by a peer that has the write from its disk', async () => {
    const storage = diskInMemory()
    const first = await grids.open({ storage })
    const { token } = await first.map('m').set('k', 1)
    await first.close()
    const again = await grids.open({ storage })
    await again.reached(token, { timeoutMs: 1 })
  })
})

describe('a read after a token', () => {
  it('waits, of every kind of collection', async () => {
    const [writer, reader] = await parted()
    const receipts = await Promise.all([
      writer.map('m').set('k', 1),
      writer.counter('c').increment(2),
      writer.set('s').add('x'),
      writer.counters('cs').increment('k', 3),
      writer.sets('ss').add('k', 'x'),
    ])
    const [map, counter, set, counters, sets] = receipts.map(({ token }) => ({ after: token }))
    const list = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
      const all: T[] = []
      for await (const item of items) all.push(item)
      return all
    }
    const reading = Promise.all([
      reader.map('m').get('k', map),
      reader.map('m').has('k', map),
      reader.map('m').getMany(['k'], map),
      list(reader.map('m').entries(map)),
      list(reader.map('m').keys(map)),
      reader.counter('c').get(counter),
      reader.set('s').has('x', set),
      list(reader.set('s').values(set)),
      reader.counters('cs').get('k', counters),
      reader.counters('cs').has('k', counters),
      list(reader.counters('cs').entries(counters)),
      reader.sets('ss').get('k', sets),
    ])
    grids.heal()
    expect(await reading).toEqual([
      ...[1, true, new Map([['k', 1]]), [['k', 1]], ['k'], 2],
      ...[true, ['x'], 3, true, [['k', 3]], ['x']],
    ])
  })

  it('without one does not wait', async () => {
    const grid = await grids.open()
    await grid.map('m').set('k', 1)
    expect(await grid.map('m').get('k', { after: undefined, timeoutMs: 1 })).toBe(1)
    expect(await grid.counter('c').get()).toBe(0)
  })

  it('that was not written by then rejects with TOKEN_TIMEOUT, and makes no collection', async () => {
    const [writer, reader] = await parted()
    const { token } = await writer.map('m').set('k', 1)
    const reading = reader.map('other').get('k', { after: token, timeoutMs: 20 })
    await expect(reading).rejects.toMatchObject({
      code: 'TOKEN_TIMEOUT',
      message: expect.stringContaining("'m'") as string,
    })
    expect(reader.collections().map(({ name }) => name)).toEqual(['other'])
    grids.heal()
    await reader.reached(token)
  })

  it('ends with its signal, and with the grid', async () => {
    const [writer, reader] = await parted()
    const { token } = await writer.map('m').set('k', 1)
    const stop = new AbortController()
    const aborted = reader.reached(token, { signal: stop.signal })
    const closed = reader.map('m').get('k', { after: token })
    closed.catch(() => undefined)
    stop.abort('enough')
    await expect(aborted).rejects.toMatchObject({ code: 'ABORTED', cause: 'enough' })
    await reader.close()
    await expect(closed).rejects.toMatchObject({ code: 'CLOSED' })
    await expect(reader.reached(token)).rejects.toMatchObject({ code: 'CLOSED' })
  })
})

describe('the token of a write to a collection that was dropped', () => {
  it('is reached where the drop is known, for nothing is left to wait for', async () => {
    const a = await grids.open({ storage: diskInMemory() })
    const b = await grids.open({ storage: diskInMemory() })
    await b.ready()
    const { token } = await a.map('m').set('k', 1)
    await a.dropCollection('m')
    await a.reached(token, { timeoutMs: 1_000 })
    expect(await a.map('m').get('k', { after: token, timeoutMs: 1_000 })).toBeUndefined()
    await b.reached(token)
    grids.split([0], [1])
    await a.map('m').set('k', 2)
    const lost = await a.map('m').set('k', 3)
    await a.dropCollection('m')
    await expect(b.reached(lost.token, { timeoutMs: 30 })).rejects.toMatchObject({ code: 'TOKEN_TIMEOUT' })
    const waiting = b.reached(lost.token)
    grids.heal()
    await waiting
    expect(b.map('m').size).toBe(0)
  })
})

describe('what is no token of this grid', () => {
  it('is refused', async () => {
    const grid = await grids.open()
    const { token } = await grid.map('sessions').set('k', 1)
    const other = await new TestGrids().open({ name: 'other' })
    const foreign = await other.map('sessions').set('k', 1)
    await other.close()
    await expect(grid.reached(foreign.token)).rejects.toMatchObject({
      code: 'INVALID_TOKEN',
      message: 'the token is of another grid',
    })
    const malformed = [
      ...['', 'x', '!', 'ä', '\u{1f600}', token.slice(0, -3), token.slice(0, 8), `${token}AA`, `C${token.slice(1)}`],
      ...['A'.repeat(300_000), undefined, null, 5, {}, [token]],
    ]
    for (const bad of malformed) {
      await expect(grid.reached(bad as string), JSON.stringify(bad)).rejects.toMatchObject({ code: 'INVALID_TOKEN' })
    }
    for (const garbage of [
      'x',
      'hello',
      'gQAA',
      'AQID',
      'AAAAAAAAAAAAAAAAAAAA',
      `C${token.slice(1)}`,
      foreign.token.slice(0, -9),
    ]) {
      const message = 'that is no token that this version reads: pass what a receipt has as token, unchanged'
      await expect(grid.reached(garbage), garbage).rejects.toMatchObject({ code: 'INVALID_TOKEN', message })
    }
    await expect(grid.map('m').get('k', { after: 'x' })).rejects.toMatchObject({ code: 'INVALID_TOKEN' })
    await expect(grid.map('m').entries({ after: 'x' }).next()).rejects.toMatchObject({ code: 'INVALID_TOKEN' })
  })

  it.each([{ timeoutMs: 0 }, { timeoutMs: 1.5 }, { signal: {} }, { unknown: 1 }, null, 5])(
    'and options %j are refused',
    async (options) => {
      const grid = await grids.open()
      const { token } = await grid.map('m').set('k', 1)
      const given = options as never
      await expect(grid.reached(token, given)).rejects.toMatchObject({ code: 'INVALID_OPTION' })
      await expect(grid.map('m').get('k', given)).rejects.toMatchObject({ code: 'INVALID_OPTION' })
      await expect(grid.counter('c').get(given)).rejects.toMatchObject({ code: 'INVALID_OPTION' })
      await expect(grid.set('s').has(1, given)).rejects.toMatchObject({ code: 'INVALID_OPTION' })
      await expect(grid.counters('cs').get('k', given)).rejects.toMatchObject({ code: 'INVALID_OPTION' })
      expect(() => grid.map('m').entries(given)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }))
    },
  )

  it('ten thousand reads may wait, and made-up tokens do not slow the peer down', async () => {
    const [writer, reader] = await parted()
    const { token } = await writer.map('m').set('k', 1)
    const bytes = Buffer.from(token, 'base64url')
    const madeUp = Array.from({ length: 10_000 }, (_, i) => {
      bytes.writeUInt32BE(i, bytes.length - 6)
      // None of them ends while the writes are measured.
      return reader.reached(bytes.toString('base64url'), { timeoutMs: 10_000 })
    })
    const settled = Promise.allSettled(madeUp)
    await vi.waitFor(() => expect(reader.reached(token)).rejects.toMatchObject({ code: 'BACKLOG_FULL' }))
    const write = async (map: string): Promise<number> => {
      const before = process.cpuUsage()
      for (let i = 0; i < 1000; i++) await reader.map(map).set('k', i)
      const { user, system } = process.cpuUsage(before)
      return user + system
    }
    const besideWaiting = await write('n')
    const codes = new Set(
      (await settled).map((each) => (each.status === 'rejected' ? (each.reason as { code: string }).code : '')),
    )
    expect([...codes]).toEqual(['TOKEN_TIMEOUT'])
    // To look at all that wait after each write would take a hundred times as long.
    expect(besideWaiting).toBeLessThan(10 * (await write('n')) + 500_000)
    grids.heal()
    await reader.reached(token)
  })
})

describe('copies', () => {
  it('on peers count those in memory', async () => {
    const [writer, reader] = [await grids.open(), await grids.open()]
    await reader.ready()
    const receipt = await writer.map('m').set('k', 1, { copies: { peers: 2 } })
    expect(receipt).toMatchObject({ durable: false, copies: 0, peers: 2 })
    expect(reader.map('m').peek('k')).toBe(1)
    await expect(writer.map('m').set('k', 2, { copies: { peers: 3 }, timeoutMs: 50 })).rejects.toMatchObject({
      code: 'COPIES_TIMEOUT',
      message: expect.stringMatching(/^2 of 3 peers have it after 50 ms/) as string,
      cause: { copies: 0, peers: 2 },
    })
  })

  it('of all are those of the peers that are alive', async () => {
    const alone = await grids.open({ storage: diskInMemory() })
    expect(await alone.map('m').set('k', 0, { copies: 'all' })).toMatchObject({ copies: 1, peers: 1 })
    const others = [await grids.open(), await grids.open({ storage: diskInMemory() })]
    await Promise.all(others.map((other) => other.ready()))
    await vi.waitFor(() => expect(alone.members.filter(({ state }) => state === 'alive')).toHaveLength(3))
    const receipt = await alone.transact(
      (batch) => {
        batch.map('m').set('k', 1)
        batch.counter('c').increment()
      },
      { copies: 'all' },
    )
    expect(receipt).toMatchObject({ copies: 2, peers: 3 })
    expect(others.map((other) => other.counter('c').value)).toEqual([1, 1])
    grids.split([0, 1], [2])
    await expect(alone.map('m').set('k', 2, { copies: 'all', timeoutMs: 2000 })).rejects.toMatchObject({
      code: 'COPIES_TIMEOUT',
      cause: { durable: true, peers: 2 },
    })
  })

  it.each(['most', {}, { peers: 0 }, { peers: 65 }, { peers: 2, more: 1 }, null, true, [2]])(
    '%j are refused',
    async (copies) => {
      const grid = await grids.open()
      const options = { copies } as never
      await expect(grid.map('m').set('k', 1, options)).rejects.toMatchObject({ code: 'INVALID_OPTION' })
      expect(grid.map('m').size).toBe(0)
    },
  )
})
