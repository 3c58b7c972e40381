import { afterEach, describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { GridProvider } from '../../yjs.ts'
import type { Grid } from '../../grid.ts'
import { TestGrids } from '../../rig/test-grids.ts'

const EAGER = {
  clientsMax: 4,
  weighedMinBytes: Infinity,
  weightMax: 10,
  quietMs: 40,
  checkMs: 20,
  settledAfterMs: 60,
  lagMax: Infinity,
}
/** Compacts nothing by itself, but carries edits over. */
const LAZY = { ...EAGER, clientsMax: Infinity }
const WAIT = { timeout: 15_000 }

let grids = new TestGrids()
afterEach(async () => {
  await grids.close()
  grids = new TestGrids()
})

async function open(limits = LAZY): Promise<Grid> {
  const grid = await grids.open()
  grid.documents.limits = limits
  return grid
}

const text = (y: Y.Doc): Y.Text => y.getText('body')
const generationAt = (grid: Grid): number => grid.documents.table.generationOf('note').number
const textAt = async (grid: Grid): Promise<string> => text((await grid.doc('note')).y).toJSON()

/** Types under so many client ids, and waits until a peer has compacted the document for it. */
async function compact(grid: Grid, count = 6): Promise<void> {
  const before = generationAt(grid)
  for (let i = 0; i < count; i++) {
    const document = await grid.doc('note', { doc: new Y.Doc() })
    text(document.y).insert(text(document.y).length, '.')
    await document.close()
  }
  const document = await grid.doc('note')
  await expect.poll(() => generationAt(grid), WAIT).not.toBe(before)
  await document.close()
}

/** A provider, what an editor that is bound to its Y.Doc shows, and its events. */
async function provide(grid: Grid): Promise<{ y: Y.Doc; provider: GridProvider; editor: Y.Text; reported: unknown[] }> {
  const y = new Y.Doc()
  const reported: unknown[] = []
  const editor = new Y.Doc().getText('editor')
  text(y).observe(({ delta }) => editor.applyDelta(delta))
  const provider = new GridProvider(grid, 'note', y)
  provider.on('connection-error', (error) => reported.push(error))
  provider.on('refused', ({ error }) => reported.push(error))
  await provider.whenConnected
  provider.on('status', (event) => reported.push(event))
  return { y, provider, editor, reported }
}

describe('a provider whose document is compacted', () => {
  it('goes on with its Y.Doc and the editors bound to it, again and again', async () => {
    const ada = await open(EAGER)
    const bob = await open()
    const { y, provider, editor, reported } = await provide(bob)
    text(y).insert(0, 'hello')
    const nested = new Y.Text('nested')
    y.getMap('map').set('list', Y.Array.from([nested]))
    let expected = 'hello'
    await expect.poll(() => textAt(ada), WAIT).toBe(expected)
    for (let i = 0; i < 3; i++) {
      const client = y.clientID
      await compact(ada)
      expected += '......'
      await expect.poll(() => y.clientID, WAIT).not.toBe(client)
      expect(text(y).toJSON()).toBe(expected)
      text(y).insert(0, `${i}`)
      nested.insert(0, `${i}`)
      expected = `${i}${expected}`
      await provider.flush()
      await expect.poll(() => textAt(ada), WAIT).toBe(expected)
      expect((await ada.doc('note')).y.getMap('map').toJSON()).toEqual(y.getMap('map').toJSON())
      const there = await ada.doc('note')
      text(there.y).insert(0, '>')
      expected = `>${expected}`
      await expect.poll(() => text(y).toJSON(), WAIT).toBe(expected)
      await there.close()
    }
    expect(editor.toJSON()).toBe(text(y).toJSON())
    expect(nested.toJSON()).toBe('210nested')
    expect(reported).toEqual([])
    expect(y.store.clients.size).toBeLessThan(10)
    expect(provider.synced).toBe(true)
    await provider.destroy()
  })

  it('brings along what was typed while the other peer compacted it without knowing', async () => {
    const ada = await open(EAGER)
    const bob = await open()
    const { y, provider, editor, reported } = await provide(bob)
    text(y).insert(0, 'one two')
    await expect.poll(() => textAt(ada), WAIT).toBe('one two')
    grids.split([0], [1])
    text(y).delete(0, 4)
    text(y).insert(1, 'hree t')
    text(y).format(0, 3, { bold: true })
    await compact(ada)
    text(y).insert(0, 'late ')
    grids.heal()
    await expect.poll(() => textAt(ada), WAIT).toBe('late three two......')
    await expect.poll(() => text(y).toJSON(), WAIT).toBe('late three two......')
    text(y).insert(0, 'and on ')
    await expect.poll(() => textAt(ada), WAIT).toBe('and on late three two......')
    expect(editor.toDelta()).toEqual(text(y).toDelta())
    expect(reported).toEqual([])
    await provider.destroy()
  })

  it('goes on with what was typed while it was disconnected', async () => {
    const ada = await open(EAGER)
    const bob = await open()
    const { y, provider, editor, reported } = await provide(bob)
    text(y).insert(0, 'before')
    await expect.poll(() => textAt(ada), WAIT).toBe('before')
    await provider.disconnect()
    text(y).insert(1, 'etween b')
    await compact(ada)
    text(y).delete(0, 1)
    await expect.poll(() => generationAt(bob), WAIT).toBe(generationAt(ada))
    provider.connect()
    await expect.poll(() => textAt(ada), WAIT).toBe('etween before......')
    await expect.poll(() => text(y).toJSON(), WAIT).toBe('etween before......')
    text(y).insert(0, 'b')
    await expect.poll(() => textAt(ada), WAIT).toBe('between before......')
    expect(editor.toJSON()).toBe('between before......')
    expect(reported.slice(-1)).toEqual([{ status: 'connected' }])
    expect(reported.filter((each) => each instanceof Error)).toEqual([])
    await provider.destroy()
  })

  it('keeps the people in it seen, under its new client id alone', async () => {
    const ada = await open(EAGER)
    const bob = await open()
    const { y, provider } = await provide(bob)
    provider.awareness.setLocalStateField('user', 'Bob')
    const watcher = await provide(ada)
    const people = (): unknown[] =>
      [...watcher.provider.awareness.getStates().values()].map(({ user }) => user as unknown)
    await expect.poll(people, WAIT).toEqual([undefined, 'Bob'])
    const client = y.clientID
    await compact(ada)
    await expect.poll(() => y.clientID, WAIT).not.toBe(client)
    expect(provider.awareness.clientID).toBe(y.clientID)
    await expect.poll(() => watcher.provider.awareness.getStates().get(y.clientID), WAIT).toEqual({ user: 'Bob' })
    expect(people().filter((user) => user === 'Bob')).toHaveLength(1)
    await Promise.all([provider.destroy(), watcher.provider.destroy()])
  })

  it('gets an event when its document was deleted instead', async () => {
    const ada = await open(EAGER)
    const bob = await open()
    const { y, provider, reported } = await provide(bob)
    text(y).insert(0, 'gone')
    await expect.poll(() => textAt(ada), WAIT).toBe('gone')
    await ada.deleteDoc('note')
    await expect.poll(() => reported, WAIT).toMatchObject([{ code: 'DOCUMENT_DELETED' }, { status: 'disconnected' }])
    provider.connect()
    await expect(provider.whenConnected).rejects.toMatchObject({ code: 'DOCUMENT_FOREIGN' })
    expect(text(y).toJSON()).toBe('gone')
    await provider.destroy()
  })
})
