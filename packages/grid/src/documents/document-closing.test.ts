import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import type { Grid } from '../grid.ts'
import { TestGrids, diskInMemory } from '../rig/test-grids.ts'
import { GridProvider } from '../yjs.ts'

let grids = new TestGrids()
afterEach(async () => {
  await grids.close()
  grids = new TestGrids()
})

/** A disk that takes a few turns of the event loop for each write, or stands still. */
function slowDisk(): ReturnType<typeof diskInMemory> & { hanging: Promise<void> | undefined } {
  const disk = diskInMemory()
  const { write } = disk
  const slow = Object.assign(disk, {
    hanging: undefined as Promise<void> | undefined,
    write: async (...batch: Parameters<typeof write>) => {
      await sleep(3)
      await slow.hanging
      await write(...batch)
    },
  })
  return slow
}

async function typeSlowly(y: Y.Doc, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    y.getText('body').insert(i, 'x')
    await new Promise((resolve) => setImmediate(resolve))
  }
}

const storedAt = async (grid: Grid): Promise<string> => (await grid.doc('note')).y.getText('body').toJSON()
const text = (y: Y.Doc): Y.Text => y.getText('body')

describe('a Y.Doc that is destroyed while the disk is under way', () => {
  it.each<[string, (provider: GridProvider, y: Y.Doc) => void]>([
    ['after its provider', (provider, y) => (void provider.destroy(), y.destroy())],
    ['before its provider', (provider, y) => (y.destroy(), void provider.destroy())],
    ['without its provider', (_, y) => y.destroy()],
    ['after its provider has disconnected', (provider, y) => (void provider.disconnect(), y.destroy())],
  ])('%s leaves nothing unstored', async (_, end) => {
    const storage = slowDisk()
    const grid = await grids.open({ storage })
    const y = new Y.Doc()
    const provider = new GridProvider(grid, 'note', y)
    await provider.whenConnected
    await typeSlowly(y, 60)
    text(y).delete(0, 10)
    end(provider, y)
    await expect.poll(() => storedAt(grid)).toBe('x'.repeat(50))
    await grid.close()
    expect(await storedAt(await grids.open({ storage }))).toBe('x'.repeat(50))
  })

  it('in the turn in which its provider was made leaves nothing unstored', async () => {
    const grid = await grids.open({ storage: slowDisk() })
    const y = new Y.Doc()
    const provider = new GridProvider(grid, 'note', y)
    text(y).insert(0, 'typed at once')
    void provider.destroy()
    y.destroy()
    await expect.poll(() => storedAt(grid)).toBe('typed at once')
  })

  it('ends the document for all who have it open, and what is typed later is refused', async () => {
    const grid = await grids.open({ storage: slowDisk() })
    const doc = new Y.Doc()
    const reported: string[] = []
    for (const name of ['first', 'second']) {
      const document = await grid.doc('note', { doc })
      document.on('ended', ({ error }) => reported.push(`${name} ended: ${error.code}`))
      document.on('refused', ({ update }) => {
        const refused = new Y.Doc()
        Y.applyUpdate(refused, Y.encodeStateAsUpdate(doc))
        Y.applyUpdate(refused, update!)
        reported.push(`${name} refused: ${text(refused).toJSON()}`)
      })
    }
    text(doc).insert(0, 'kept')
    doc.destroy()
    expect(reported).toEqual(['first ended: DOCUMENT_DESTROYED', 'second ended: DOCUMENT_DESTROYED'])
    text(doc).insert(4, ' late')
    await expect.poll(() => reported.slice(2)).toEqual(['first refused: kept late', 'second refused: kept late'])
    text(doc).insert(9, 'r')
    expect(reported.slice(4)).toEqual(['first refused: kept later', 'second refused: kept later'])
    expect(await storedAt(grid)).toBe('kept')
  })

  it('is opened again, with what was typed since', async () => {
    const grid = await grids.open({ storage: slowDisk() })
    const doc = new Y.Doc()
    const first = new GridProvider(grid, 'note', doc)
    await first.whenConnected
    text(doc).insert(0, 'abc')
    void first.destroy()
    doc.destroy()
    text(doc).insert(3, 'def')
    text(doc).delete(0, 1)
    const second = new GridProvider(grid, 'note', doc)
    await second.flush()
    text(doc).insert(5, 'ghi')
    await second.flush()
    expect(await storedAt(grid)).toBe('bcdefghi')
    await second.destroy()
  })
})

describe('the Y.Doc that users of a document share', () => {
  it('lives on for the others when one destroys it, and so does its Awareness', async () => {
    const ada = await grids.open()
    const bob = await grids.open()
    const one = await ada.doc('note')
    const two = await ada.doc('note')
    const reported: unknown[] = []
    two.on('refused', (event) => reported.push(event))
    two.on('ended', (event) => reported.push(event))
    text(one.y).insert(0, 'kept? ')
    one.y.destroy()
    one.awareness.destroy()
    text(two.y).insert(6, 'typed by the other')
    two.awareness.setLocalStateField('user', 'Ada')
    const there = await bob.doc('note')
    await expect.poll(() => text(there.y).toJSON()).toBe('kept? typed by the other')
    await expect.poll(() => there.awareness.getStates().get(two.y.clientID)).toEqual({ user: 'Ada' })
    text(there.y).insert(0, '> ')
    await expect.poll(() => text(two.y).toJSON()).toBe('> kept? typed by the other')
    expect(reported).toEqual([])
    await one.close()
    text(two.y).insert(0, '> ')
    await expect.poll(() => text(there.y).toJSON()).toBe('> > kept? typed by the other')
  })
})

describe('a document that is closed', () => {
  it('without being waited for stores all that was edited, and opens again in the same turn', async () => {
    const grid = await grids.open({ storage: slowDisk() })
    const first = await grid.doc('note')
    await typeSlowly(first.y, 20)
    void first.close()
    const second = await grid.doc('note')
    expect(second.y).toBe(first.y)
    text(second.y).insert(20, 'y')
    await second.close()
    await grid.close()
  })

  it('keeps what the store has no room for, until it has', async () => {
    const storage = slowDisk()
    const grid = await grids.open({ storage })
    const doc = new Y.Doc()
    const document = await grid.doc('note', { doc })
    text(doc).insert(0, 'before ')
    await document.flush()
    const room = Promise.withResolvers<void>()
    storage.hanging = room.promise
    const { written } = await fill(grid)
    text(doc).insert(7, 'typed without room')
    const closing = document.close()
    doc.destroy()
    await sleep(50)
    expect(grid.documents.table.rowsOf('note')).toHaveLength(1)
    room.resolve()
    storage.hanging = undefined
    await closing
    await written
    await expect.poll(() => storedAt(grid)).toBe('before typed without room')
  })

  it('with its grid while there is no room tells of what is lost', async () => {
    const storage = slowDisk()
    // Not closed a second time by the end of the test: that would say the same again.
    const grid = await new TestGrids().open({ storage })
    const document = await grid.doc('note')
    storage.hanging = new Promise(() => undefined)
    const refused: string[] = []
    document.on('refused', ({ error, update }) => refused.push(`${error.code} ${update!.length > 0}`))
    const { written } = await fill(grid)
    text(document.y).insert(0, 'nowhere to go')
    await expect(grid.close()).rejects.toMatchObject({ code: 'CLOSE_INCOMPLETE' })
    expect(refused).toEqual(['CLOSED true'])
    await written
  })
})

/** Writes until the store takes no more; `written` resolves once what it took is stored. */
async function fill(grid: Grid): Promise<{ readonly written: Promise<unknown> }> {
  const map = grid.map<Uint8Array>('blobs')
  const writes: Promise<unknown>[] = []
  for (const sizeBytes of [900_000, 9000, 90, 0]) {
    for (let isRefused = false; !isRefused;) {
      const write = map.set(String(writes.length), new Uint8Array(sizeBytes))
      writes.push(write)
      const refused = write.then(
        () => false,
        () => true,
      )
      isRefused = await Promise.race([refused, new Promise<false>((resolve) => setImmediate(() => resolve(false)))])
    }
  }
  return { written: Promise.allSettled(writes) }
}
