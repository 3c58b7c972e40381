import { afterEach, describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { TestGrids } from '../test-grids.ts'
import { GridProvider, copyDocument } from './grid-provider.ts'

let grids = new TestGrids()
afterEach(async () => {
  await grids.close()
  grids = new TestGrids()
})

describe('a provider', () => {
  it('is made and used in one breath, as those of other Yjs applications are', async () => {
    const ada = await grids.open()
    const bob = await grids.open()
    const first = new Y.Doc()
    const provider = new GridProvider(ada, 'note', first)
    const told: unknown[] = []
    provider.on('status', ({ status }) => told.push(status))
    provider.on('sync', (synced) => told.push(synced))
    first.getText('body').insert(0, 'typed at once')
    const second = new Y.Doc()
    const other = new GridProvider(bob, 'note', second)
    await expect.poll(() => second.getText('body').toJSON()).toBe('typed at once')
    await expect.poll(() => provider.synced).toBe(true)
    expect(told).toEqual(['connected', true])
    provider.awareness.setLocalStateField('user', 'Ada')
    await expect.poll(() => other.awareness.getStates().get(first.clientID)).toEqual({ user: 'Ada' })
    await provider.destroy()
    await expect.poll(() => other.awareness.getStates().size).toBe(1)
    await other.destroy()
  })

  it('brings what was edited while it was disconnected, also with another one for the same Y.Doc', async () => {
    const ada = await grids.open()
    const bob = await grids.open()
    const doc = new Y.Doc()
    const provider = new GridProvider(ada, 'note', doc)
    doc.getText('body').insert(0, 'abc')
    await provider.whenConnected
    await provider.disconnect()
    doc.getText('body').insert(3, 'def')
    provider.connect()
    const other = await bob.doc('note')
    await expect.poll(() => other.y.getText('body').toJSON()).toBe('abcdef')
    await provider.destroy()
    doc.getText('body').delete(0, 3)
    const next = new GridProvider(ada, 'note', doc)
    await expect.poll(() => other.y.getText('body').toJSON()).toBe('def')
    await next.flush()
    await next.destroy()
  })

  it('says so when a Y.Doc has content of elsewhere', async () => {
    const ada = await grids.open()
    const doc = new Y.Doc()
    doc.getText('body').insert(0, 'old')
    const provider = new GridProvider(ada, 'note', doc, { connect: false })
    const errors: unknown[] = []
    provider.once('connection-error', (error) => errors.push(error))
    provider.connect()
    await expect(provider.whenConnected).rejects.toMatchObject({ code: 'DOCUMENT_FOREIGN' })
    expect(errors).toHaveLength(1)
    await provider.destroy()
  })
})

describe('copying a document', () => {
  it('brings all that it shows, nested as it is', async () => {
    const old = new Y.Doc()
    const text = old.getText('body')
    text.insert(0, 'plain bold end')
    text.format(6, 4, { bold: true })
    text.delete(0, 2)
    text.insertEmbed(3, { image: 'x' })
    const map = old.getMap('map')
    map.set('list', new Y.Array())
    ;(map.get('list') as Y.Array<unknown>).push([1, { a: null }, new Y.Text('inner')])
    map.set('gone', 1)
    map.delete('gone')
    map.set('again', 1)
    map.set('again', 2)
    const paragraph = new Y.XmlElement('p')
    paragraph.setAttribute('class', 'x')
    paragraph.insert(0, [new Y.XmlText('words')])
    old.getXmlFragment('page').insert(0, [paragraph])

    const grid = await grids.open()
    const document = await grid.doc('moved')
    copyDocument(old, document.y)
    const client = document.y.clientID
    await document.flush()
    expect(document.endedBy).toBe(undefined)
    const other = await (await grids.open()).doc('moved')
    await expect.poll(() => other.y.getMap('map').get('again')).toBe(2)
    for (const { y } of [document, other]) {
      expect(y.getText('body').toDelta()).toEqual(text.toDelta())
      expect(y.getMap('map').toJSON()).toEqual(map.toJSON())
      expect(y.getXmlFragment('page').toJSON()).toBe(old.getXmlFragment('page').toJSON())
    }
    expect(document.y.clientID).toBe(client)
    document.y.getText('body').insert(0, 'goes on ')
    await expect.poll(() => other.y.getText('body').toJSON()).toContain('goes on ')
  })
})
