import { lstatSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Batch } from '../control/control-api.ts'
import type { ControlClient } from '../control/control-client.ts'
import type { BadRow, Row } from '../formats/json/row.ts'
import { Importer } from './importer.ts'
import { Journal, journalPath } from './journal.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gossipgrid-test-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

/** A peer that notes keys, refuses some, and fails from the nth batch on. */
class FakePeer {
  readonly keys: string[] = []
  batches = 0
  inFlight = 0
  inFlightMax = 0
  failFrom = Infinity
  dropAt = Infinity

  get client(): ControlClient {
    return { call: (_: string, { body }: { body: string }) => this.#take(JSON.parse(body) as Batch) } as ControlClient
  }

  async #take(batch: Batch): Promise<unknown> {
    this.inFlightMax = Math.max(this.inFlightMax, ++this.inFlight)
    const number = ++this.batches
    const drops = number < this.dropAt ? 3 : 4
    // Later batches answer first.
    await new Promise((resolve) => setTimeout(resolve, 10 - (number % 4)))
    this.inFlight -= 1
    if (number >= this.failFrom) throw new Error('the peer went away')
    this.keys.push(...batch.map(([key]) => key))
    const refused = batch.flatMap(([key], index) =>
      key.startsWith('no') ? [{ index, code: 'INVALID_KEY', message: 'no' }] : [],
    )
    return { written: batch.length - refused.length, expired: 0, refused, drops }
  }
}

async function* rows(count: number, bad: readonly number[] = []): AsyncGenerator<Row, void, undefined> {
  for (let line = 1; line <= count; line++) {
    if (bad.includes(line)) yield { line, column: 'age', reason: 'is missing' }
    else yield { kind: 'entry', key: `${line === 5000 ? 'no' : 'k'}${line}`, value: line, line, sizeBytes: 100 }
  }
}

function importer(peer: FakePeer, skipMax: number, bad: BadRow[] = []): Importer {
  const { signal } = new AbortController()
  return new Importer({
    client: peer.client,
    collection: 'c',
    skipMax,
    signal,
    onBadRow: (row) => bad.push(row),
    onAcknowledged: () => undefined,
  })
}

test('rows travel in batches, a few at a time, and all arrive', async () => {
  const peer = new FakePeer()
  const one = importer(peer, 0)
  await one.run(rows(4500))
  expect(new Set(peer.keys).size).toBe(4500)
  expect(peer.inFlightMax).toBe(4)
  expect(one.state).toEqual({ rows: 4500, skipped: 0, drops: 3 })
})

test('a drop on the way ends it, and what was written before does not count for another run', async () => {
  const peer = new FakePeer()
  peer.dropAt = 3
  const one = importer(peer, 0)
  const path = join(folder, 'journal')
  const identity = { target: 'g', collection: 'c', source: 's', reading: 'csv' }
  await expect(one.run(rows(4500))).rejects.toMatchObject({ code: 'COLLECTION_DROPPED' })
  expect(one.state).toEqual({ rows: 2000, skipped: 0, drops: 3 })
  new Journal(path, identity, 3).save(one.state, true)
  expect(new Journal(path, identity, 3).read()).toEqual(one.state)
  for (const dropsNow of [4, undefined]) {
    expect(() => new Journal(path, identity, dropsNow).read()).toThrow("'c' that was dropped since")
  }
  await expect(importer(peer, 0).run(rows(4500), one.state)).rejects.toMatchObject({ code: 'COLLECTION_DROPPED' })
})

test('of two rows with one key the later one is written later', async () => {
  const peer = new FakePeer()
  async function* twice(): AsyncGenerator<Row, void, undefined> {
    yield* rows(2500)
    yield { kind: 'entry', key: 'k7', value: 'later', line: 2501, sizeBytes: 100 }
  }
  await importer(peer, 0).run(twice())
  expect(peer.keys.filter((key) => key === 'k7')).toHaveLength(2)
  expect(peer.keys.at(-1)).toBe('k7')
})

test('what fails half-way goes on where everything before was acknowledged', async () => {
  const peer = new FakePeer()
  peer.failFrom = 4
  const first = importer(peer, 0)
  await expect(first.run(rows(10_000))).rejects.toThrow('the peer went away')
  expect(first.state.rows).toBe(3000)
  peer.failFrom = Infinity
  const second = importer(peer, 1)
  await second.run(rows(10_000), first.state)
  expect(second.state).toEqual({ rows: 10_000, skipped: 1, drops: 3 })
  expect(new Set(peer.keys).size).toBe(10_000)
})

test('where the source breaks off, all rows before are written', async () => {
  const peer = new FakePeer()
  async function* broken(): AsyncGenerator<Row, void, undefined> {
    yield* rows(3210)
    throw new Error('the quotes are wrong')
  }
  const one = importer(peer, 0)
  await expect(one.run(broken())).rejects.toThrow('the quotes are wrong')
  expect(one.state.rows).toBe(3210)
  expect(peer.keys).toHaveLength(3210)
})

test('bad rows are counted, whether the reader or the peer finds them, and their number has a limit', async () => {
  const bad: BadRow[] = []
  await importer(new FakePeer(), 2, bad).run(rows(6000, [17]))
  expect(bad.map(({ line }) => line)).toEqual([17, 5000])
  await expect(importer(new FakePeer(), 1).run(rows(6000, [17]))).rejects.toThrow(
    'more than 1 bad rows; the last one is line 5000: no',
  )
  await expect(importer(new FakePeer(), 0).run(rows(6000, [17]))).rejects.toThrow("line 17, column 'age': is missing")
})

test('a journal is believed only for the import it belongs to', () => {
  const identity = { target: 'grid', collection: 'c', source: '10 bytes', reading: 'csv' }
  const path = journalPath(join(folder, 'a.csv'), 'grid', 'c')
  const journal = new Journal(path, identity)
  expect(journal.read()).toBeUndefined()
  journal.save({ rows: 7, skipped: 1 }, true)
  expect(new Journal(path, identity).read()).toEqual({ rows: 7, skipped: 1 })
  expect(() => new Journal(path, { ...identity, source: '11 bytes' }).read()).toThrow('the file has changed')
  expect(() => new Journal(path, { ...identity, target: 'other' }).read()).toThrow('another grid')
  writeFileSync(path, 'nonsense')
  expect(() => journal.read()).toThrow('is no JSON at column 1')
  journal.remove()
  expect(journal.read()).toBeUndefined()
  // A crash can leave its name without its contents.
  writeFileSync(path, '\0\0\0')
  expect(journal.read()).toBeUndefined()
})

test('a journal takes nothing away: not a file beside it, not a link to it, not what is no journal', () => {
  const identity = { target: 'grid', collection: 'c', source: '10 bytes', reading: 'csv' }
  const path = join(folder, 'journal')
  writeFileSync(`${path}.part`, 'mine')
  symlinkSync('elsewhere', path)
  const journal = new Journal(path, identity)
  journal.save({ rows: 7, skipped: 0 }, true)
  journal.save({ rows: 8, skipped: 0 }, true)
  expect(new Journal(join(folder, 'elsewhere'), identity).read()).toEqual({ rows: 8, skipped: 0 })
  journal.remove()
  expect(readdirSync(folder).toSorted()).toEqual(['journal', 'journal.part'])
  expect(readFileSync(`${path}.part`, 'utf8')).toBe('mine')
  for (const text of ['my notes', '{"rows":1}', 'null', '7']) {
    writeFileSync(join(folder, 'notes'), text)
    expect(() => new Journal(join(folder, 'notes'), identity).check(), text).toThrow(/journal .*notes (cannot|is no)/)
  }
  const device = new Journal('/dev/null', identity)
  expect(() => device.check()).toThrow('no ordinary file')
  device.save({ rows: 1, skipped: 0 }, true)
  device.remove()
  expect(device.failure).toBeDefined()
  expect(lstatSync('/dev/null').isCharacterDevice()).toBe(true)
})
