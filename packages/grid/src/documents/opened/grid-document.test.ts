import { documentClient, documentKey, documentValue, writeYjsUpdate } from '@gossipgrid/core'
import { Awareness } from 'y-protocols/awareness'
import { afterEach, describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import type { Grid } from '../../grid.ts'
import { madeUpFrame } from '../../rig/made-up-rows.ts'
import { TestGrids, diskInMemory } from '../../rig/test-grids.ts'
import type { GridDocument } from './grid-document.ts'

let grids = new TestGrids()
afterEach(async () => {
  await grids.close()
  grids = new TestGrids()
})

function open(countMax = 2): Promise<Grid[]> {
  return Array.from({ length: countMax }).reduce<Promise<Grid[]>>(
    async (opened) => [...(await opened), await grids.open()],
    Promise.resolve([]),
  )
}

const body = ({ y }: Pick<GridDocument, 'y'>): Y.Text => y.getText('body')
const textOf = (document: Pick<GridDocument, 'y'>): string => body(document).toJSON()

describe('a document', () => {
  it('goes on under another client id while its own edits wait for rows that are gone', async () => {
    const [ada, bob] = await open()
    const member = await grids.openBareMember()
    const there = await bob!.doc('note')
    body(there).insert(0, 'bob ')
    const { table } = ada!.documents
    await expect.poll(() => table.rowsOf('note').length).toBe(1)
    const [row] = table.rowsOf('note')
    const first = await ada!.doc('note')
    body(first).insert(4, 'ada ')
    await first.flush()
    const client = first.y.clientID
    await first.close()
    // A closed document stays in memory until others have been opened.
    for (let i = 0; i < 20; i++) await (await ada!.doc(`other ${i}`)).close()
    await new Promise((resolve) => setTimeout(resolve, 10))
    await member.publish(madeUpFrame('documents', table.partition.name.kind, [[row!.key, undefined]]))
    await expect.poll(() => table.rowsOf('note').length).toBe(1)
    const again = await ada!.doc('note')
    expect(textOf(again)).toBe('')
    expect(again.y.clientID).not.toBe(client)
    body(again).insert(0, 'more')
    await again.flush()
    expect(table.rowsOf('note').map(({ key }) => table.read(key)!.update.from)).toEqual([0, 0])
    expect(new Set(table.rowsOf('note').map(({ parts }) => parts.client)).size).toBe(2)
  })

  it('shows at one peer what was typed at another', async () => {
    const [ada, bob] = await open()
    const first = await ada!.doc('note')
    const second = await bob!.doc('note')
    body(first).insert(0, 'hello')
    expect((await first.flush())?.version.sequence).toBe(1)
    await expect.poll(() => textOf(second)).toBe('hello')
    body(second).insert(5, ' world')
    await expect.poll(() => textOf(first)).toBe('hello world')
  })

  it('keeps what both sides of a network split typed', async () => {
    const [ada, bob] = await open()
    const first = await ada!.doc('note')
    const second = await bob!.doc('note')
    body(first).insert(0, 'hello')
    await expect.poll(() => textOf(second)).toBe('hello')
    grids.split([0], [1])
    for (let i = 0; i < 100; i++) {
      body(first).insert(0, `a${i} `)
      body(second).insert(body(second).length, ` b${i}`)
      if (i % 10 === 0) await first.flush()
      if (i % 7 === 0) await second.flush()
    }
    grids.heal()
    await expect.poll(() => textOf(first) === textOf(second) && textOf(first).length > 500).toBe(true)
    for (let i = 0; i < 100; i++) {
      expect(textOf(first)).toContain(`a${i} `)
      expect(textOf(first)).toContain(` b${i}`)
    }
  })

  it('is there for a peer that opens it late, and after a restart', async () => {
    const disk = diskInMemory()
    await grids.open()
    const ada = await grids.open({ storage: disk })
    const first = await ada.doc('note')
    for (let i = 0; i < 200; i++) {
      body(first).insert(i, 'x')
      if (i % 3 === 0) await first.flush()
    }
    body(first).delete(0, 50)
    await ada.close()
    const again = await grids.open({ storage: disk })
    expect(textOf(await again.doc('note'))).toBe('x'.repeat(150))
    const late = await grids.open()
    const opened = await late.doc('note')
    await expect.poll(() => textOf(opened)).toBe('x'.repeat(150))
    body(opened).insert(0, 'late ')
    await expect.poll(async () => textOf(await again.doc('note'))).toBe(`late ${'x'.repeat(150)}`)
  })

  it('is the same Y.Doc for all who open it here, also soon after it was closed', async () => {
    const [ada] = await open(1)
    const first = await ada!.doc('note')
    const second = await ada!.doc('note')
    expect(second.y).toBe(first.y)
    body(first).insert(0, 'a')
    await Promise.all([first.close(), second.close()])
    const again = await ada!.doc('note')
    expect(textOf(again)).toBe('a')
    body(again).insert(1, 'b')
    await again.flush()
    expect(textOf(again)).toBe('ab')
  })

  it('takes a Y.Doc of your own, and what was typed into it meanwhile', async () => {
    const [ada, bob] = await open()
    body(await ada!.doc('note')).insert(0, 'stored')
    const doc = new Y.Doc()
    const opening = bob!.doc('note', { doc })
    doc.getText('body').insert(0, 'meanwhile ')
    doc.getText('body').delete(0, 4)
    const opened = await opening
    expect(opened.y).toBe(doc)
    await expect.poll(async () => textOf(await ada!.doc('note'))).toContain('while ')
    await expect.poll(() => textOf(opened)).toContain('stored')
    expect(textOf(opened)).not.toContain('mean')
  })

  it('accepts a Y.Doc that was detached, with the edits made since', async () => {
    const [ada, bob] = await open()
    const doc = new Y.Doc()
    const first = await ada!.doc('note', { doc })
    body(first).insert(0, 'abcdef')
    await first.close()
    doc.getText('body').delete(0, 2)
    doc.getText('body').insert(0, 'X')
    const again = await ada!.doc('note', { doc })
    const other = await bob!.doc('note')
    await expect.poll(() => textOf(other)).toBe('Xcdef')
    expect(textOf(again)).toBe('Xcdef')
  })

  it('undoes its own edits and not those of others', async () => {
    const [ada, bob] = await open()
    const first = await ada!.doc('note')
    const second = await bob!.doc('note')
    const undo = new Y.UndoManager(body(first))
    body(first).insert(0, 'mine')
    await expect.poll(() => textOf(second)).toBe('mine')
    body(second).insert(4, ' yours')
    await expect.poll(() => textOf(first)).toBe('mine yours')
    undo.undo()
    await expect.poll(() => textOf(second)).toBe(' yours')
    undo.redo()
    await expect.poll(() => textOf(second)).toBe('mine yours')
  })
})

describe('an edit that cannot be taken', () => {
  it('of another provider ends the document, with what it was in hand', async () => {
    const [ada] = await open(1)
    const document = await ada!.doc('note')
    const errors: string[] = []
    document.on('ended', ({ error }) => errors.push(error.code))
    const foreign = new Y.Doc()
    foreign.getText('body').insert(0, 'foreign')
    Y.applyUpdate(document.y, Y.encodeStateAsUpdate(foreign))
    expect(errors).toEqual(['DOCUMENT_FOREIGN'])
    await expect(document.flush()).rejects.toMatchObject({ code: 'DOCUMENT_FOREIGN' })
    const doc = new Y.Doc()
    Y.applyUpdate(doc, Y.encodeStateAsUpdate(foreign))
    await expect(ada!.doc('note', { doc })).rejects.toMatchObject({ code: 'DOCUMENT_FOREIGN' })
    expect(textOf(await ada!.doc('note'))).toBe('')
  })

  it('like a subdocument is removed and reported', async () => {
    const [ada, bob] = await open()
    const first = await ada!.doc('note')
    const second = await bob!.doc('note')
    const errors: string[] = []
    first.on('refused', ({ error }) => errors.push(error.message))
    first.y.getMap('parts').set('sub', new Y.Doc())
    first.y.getMap('parts').set('text', 'kept')
    await expect.poll(() => second.y.getMap('parts').toJSON()).toEqual({ text: 'kept' })
    expect(errors).toEqual([expect.stringContaining('subdocuments are not supported')])
    expect(first.y.getMap('parts').toJSON()).toEqual({ text: 'kept' })
  })

  it('gets an event with the edit when the document was deleted', async () => {
    const [ada, bob] = await open()
    const first = await ada!.doc('note')
    const second = await bob!.doc('note')
    body(first).insert(0, 'hello')
    await expect.poll(() => textOf(second)).toBe('hello')
    const refused: Uint8Array[] = []
    second.on('refused', ({ update }) => refused.push(update!))
    expect(await ada!.deleteDoc('note')).toBe(true)
    await expect.poll(() => second.endedBy?.code).toBe('DOCUMENT_DELETED')
    body(second).insert(0, 'too late')
    await expect(second.flush()).rejects.toMatchObject({ code: 'DOCUMENT_DELETED' })
    expect(refused).toHaveLength(1)
    Y.applyUpdate(first.y, refused[0]!)
    expect(textOf(first)).toBe('too latehello')
  })
})

describe('a document that was poisoned', () => {
  it('is given up, and comes back from its rows without what poisoned it', async () => {
    const [ada, bob] = await open()
    const first = await ada!.doc('note')
    body(first).insert(0, 'sound')
    await first.flush()
    const errors: string[] = []
    first.on('ended', ({ error }) => errors.push(error.code))
    // As if the parser had let it pass: a shared type that there is none of.
    const client = documentClient('e'.repeat(16), 1)
    const key = documentKey({ document: 'note', generation: 0, nonce: 1, client, level: 'a', index: 0 })
    const update = writeYjsUpdate([{ client, clock: 0, count: 1, pieces: [Uint8Array.of(7, 1, 1, 120, 99)] }], [])
    const bytes = documentValue(update, '', '')
    const { replica } = ada!.documents.table.partition
    replica.merge({ key, hlc: 1, writer: 0, sequence: 1000, replaced: 0, bytes, start: 0, end: bytes.length })
    expect(errors).toEqual(['DOCUMENT_POISONED'])
    const again = await ada!.doc('note')
    expect(again.y).not.toBe(first.y)
    expect(textOf(again)).toBe('sound')
    const other = await bob!.doc('note')
    await expect.poll(() => textOf(other)).toBe('sound')
    body(other).insert(0, 'still ')
    await expect.poll(() => textOf(again)).toBe('still sound')
  })
})

describe('the documents of a grid', () => {
  it('are listed by prefix, and a deleted one is gone until one of its name is opened again', async () => {
    const [ada, bob] = await open()
    for (const name of ['notes/b', 'notes/a', 'other']) body(await ada!.doc(name)).insert(0, name)
    await expect.poll(() => bob!.docs('notes/')).toEqual(['notes/a', 'notes/b'])
    await expect.poll(() => bob!.docs()).toEqual(['notes/a', 'notes/b', 'other'])
    expect(await bob!.deleteDoc('notes/a')).toBe(true)
    expect(await bob!.deleteDoc('notes/a')).toBe(false)
    await expect.poll(() => ada!.docs('notes/')).toEqual(['notes/b'])
    // Both compact it, each without the other.
    grids.split([0], [1])
    const first = await ada!.doc('notes/a')
    const second = await bob!.doc('notes/a')
    expect(textOf(first)).toBe('')
    body(first).insert(0, 'one')
    body(second).insert(0, 'two')
    await Promise.all([first.flush(), second.flush()])
    grids.heal()
    await expect.poll(() => textOf(first).length).toBe(6)
    await expect.poll(() => textOf(second)).toBe(textOf(first))
    expect(ada!.docs('notes/')).toEqual(['notes/a', 'notes/b'])
  })

  it('do not take a name from a map', async () => {
    const [ada, bob] = await open()
    body(await ada!.doc('documents')).insert(0, 'x')
    await ada!.map('documents').set('key', 1)
    await expect.poll(() => bob!.map('documents').peek('key')).toBe(1)
    await expect.poll(() => bob!.docs()).toEqual(['documents'])
  })

  it('are let go of when many were closed, and read from their rows the next time', async () => {
    const [ada, bob] = await open()
    const first = await ada!.doc('note 0')
    body(first).insert(0, 'kept')
    const client = first.y.clientID
    await first.close()
    for (let i = 1; i <= 20; i++) {
      const document = await ada!.doc(`note ${i}`)
      body(document).insert(0, String(i))
      await document.close()
    }
    const again = await ada!.doc('note 0')
    expect(again.y).not.toBe(first.y)
    expect(textOf(again)).toBe('kept')
    expect(again.y.clientID).toBe(client)
    body(again).insert(4, ' on')
    expect(ada!.docs('note')).toHaveLength(21)
    await expect.poll(async () => textOf(await bob!.doc('note 20'))).toBe('20')
    await expect.poll(async () => textOf(await bob!.doc('note 0'))).toBe('kept on')
  })

  it('keep few rows of what was edited often, once they are closed', async () => {
    const [ada, bob] = await open()
    const document = await ada!.doc('note')
    for (let i = 0; i < 300; i++) {
      body(document).insert(0, 'x')
      await document.flush()
    }
    const { table } = ada!.documents
    expect(table.rowsOf('note').length).toBeLessThanOrEqual(128)
    await document.close()
    expect(table.rowsOf('note')).toHaveLength(1)
    await expect.poll(() => bob!.documents.table.rowsOf('note').length).toBe(1)
    expect(textOf(await bob!.doc('note'))).toBe('x'.repeat(300))
    expect(textOf(await ada!.doc('note'))).toBe('x'.repeat(300))
  })

  it('refuse names that are none', async () => {
    const [ada] = await open(1)
    await expect(ada!.doc('')).rejects.toMatchObject({ code: 'INVALID_NAME' })
    await expect(ada!.doc('a\nb')).rejects.toMatchObject({ code: 'INVALID_NAME' })
    await expect(ada!.deleteDoc('\u0000')).rejects.toMatchObject({ code: 'INVALID_NAME' })
  })
})

describe('the awareness of a document', () => {
  it('shows who has it open, and forgets who closes it', async () => {
    const [ada, bob] = await open()
    const first = await ada!.doc('note')
    const second = await bob!.doc('note')
    first.awareness.setLocalStateField('user', { name: 'Ada' })
    await expect.poll(() => second.awareness.getStates().get(first.y.clientID)).toEqual({ user: { name: 'Ada' } })
    expect(first.awareness.clientID).toBe(first.y.clientID)
    second.awareness.setLocalStateField('user', { name: 'Bob' })
    await expect.poll(() => first.awareness.getStates().size).toBe(2)
    await second.close()
    await expect.poll(() => first.awareness.getStates().size).toBe(1)
  })

  it('takes no state of a client id that another peer has', async () => {
    const [ada, bob, eve] = await open(3)
    const first = await ada!.doc('note')
    const second = await bob!.doc('note')
    first.awareness.setLocalStateField('user', 'Ada')
    await expect.poll(() => second.awareness.getStates().get(first.y.clientID)).toEqual({ user: 'Ada' })
    const forged = { document: 'note', client: first.y.clientID, clock: 1000, state: '{"user":"Eve"}' }
    await eve!.topic('gossipgrid/awareness').publish(forged)
    for (const state of ['[', '['.repeat(16_000)]) {
      await eve!.topic('gossipgrid/awareness').publish({ ...forged, client: 77, state })
    }
    await eve!.topic('gossipgrid/awareness').publish({ ...forged, client: 99 })
    await expect.poll(() => second.awareness.getStates().get(99)).toEqual({ user: 'Eve' })
    expect(second.awareness.getStates().get(first.y.clientID)).toEqual({ user: 'Ada' })
  })

  it('may be one of your own', async () => {
    const [ada] = await open(1)
    const doc = new Y.Doc()
    const awareness = new Awareness(doc)
    awareness.setLocalState({ user: 'Ada' })
    const document = await ada!.doc('note', { doc, awareness })
    expect(document.awareness).toBe(awareness)
    expect(awareness.clientID).toBe(doc.clientID)
    expect([...awareness.getStates()]).toEqual([[doc.clientID, { user: 'Ada' }]])
    awareness.destroy()
  })
})
