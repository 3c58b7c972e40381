import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import type { Grid } from './grid.ts'
import { openGrid } from './open-grid.ts'
import type { OpenGridOptions } from './open-grid-options.ts'
import { TestGrids } from './rig/test-grids.ts'
import { GridProvider, copyDocument } from './yjs.ts'

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
let grids = new TestGrids()
afterEach(async () => {
  await grids.close()
  grids = new TestGrids()
})

function openAlone(options: Partial<OpenGridOptions>): Promise<Grid> {
  const network = { listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false }
  return openGrid({ name: 'provider', secret: 'a secret of this test', logger: silent, ...network, ...options })
}

describe('a provider', () => {
  it('is made and used in one breath, as those of other Yjs applications are', async () => {
    const ada = await grids.open()
    const bob = await grids.open()
    const first = new Y.Doc()
    const provider = new GridProvider(ada, 'note', first)
    const reported: unknown[] = []
    provider.on('status', ({ status }) => reported.push(status))
    provider.on('sync', (synced) => reported.push(synced))
    first.getText('body').insert(0, 'typed at once')
    const second = new Y.Doc()
    const other = new GridProvider(bob, 'note', second)
    await expect.poll(() => second.getText('body').toJSON()).toBe('typed at once')
    await expect.poll(() => provider.synced).toBe(true)
    expect(reported).toEqual(['connected', true])
    provider.awareness.setLocalStateField('user', 'Ada')
    await expect.poll(() => other.awareness.getStates().get(first.clientID)).toEqual({ user: 'Ada' })
    await provider.destroy()
    await expect.poll(() => other.awareness.getStates().size).toBe(1)
    await other.destroy()
  })

  it('is disconnected while its grid is, and edits of both sides meet afterwards', async () => {
    const [ada, bob] = [await grids.open(), await grids.open()]
    const [first, second] = [new Y.Doc(), new Y.Doc()]
    const providers = [new GridProvider(ada, 'note', first), new GridProvider(bob, 'note', second)]
    first.getText('body').insert(0, 'a')
    await expect.poll(() => second.getText('body').toJSON()).toBe('a')
    const reported: string[] = []
    providers[1]!.on('status', ({ status }) => reported.push(status))
    await bob.disconnect()
    expect([providers[1]!.status, providers[1]!.synced]).toEqual(['disconnected', true])
    second.getText('body').insert(0, 'offline ')
    await providers[1]!.flush()
    first.getText('body').insert(1, ' too')
    // One that is made meanwhile is disconnected as well.
    const third = new GridProvider(bob, 'other', new Y.Doc())
    await third.whenConnected
    expect(third.status).toBe('disconnected')
    await bob.connect()
    await expect.poll(() => first.getText('body').toJSON()).toBe('offline a too')
    await expect.poll(() => [providers[1]!.status, third.status]).toEqual(['connected', 'connected'])
    expect(reported).toEqual(['disconnected', 'connected'])
    await Promise.all([...providers, third].map((provider) => provider.destroy()))
    await bob.disconnect()
    expect(reported).toEqual(['disconnected', 'connected', 'disconnected'])
  })

  it('tells every listener of events in the order in which they came, also where a listener caused the next one', async () => {
    const grid = await grids.open()
    const provider = new GridProvider(grid, 'note', new Y.Doc())
    const reported: unknown[] = []
    provider.once('synced', () => void provider.disconnect())
    provider.on('synced', (synced) => reported.push(['synced', synced]))
    provider.on('sync', (synced) => reported.push(['sync', synced]))
    await provider.whenConnected
    await provider.disconnect()
    expect(reported).toEqual([
      ['synced', true],
      ['sync', true],
      ['synced', false],
      ['sync', false],
    ])
    expect(provider.synced).toBe(false)
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
    const old = new Y.Doc()
    old.getText('body').insert(0, 'old')
    const doc = new Y.Doc()
    Y.applyUpdate(doc, Y.encodeStateAsUpdate(old))
    doc.getText('body').insert(0, 'new and ')
    const provider = new GridProvider(ada, 'note', doc, { connect: false })
    const errors: unknown[] = []
    provider.once('connection-error', (error) => errors.push(error))
    provider.connect()
    await expect(provider.whenConnected).rejects.toMatchObject({ code: 'DOCUMENT_FOREIGN' })
    expect(errors).toHaveLength(1)
    expect(provider.status).toBe('disconnected')
    expect(doc.getText('body').toJSON()).toBe('new and old')
    await provider.destroy()
  })

  it('shows what is stored here at once, although no other peer is in reach', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'gossipgrid-'))
    const first = await openAlone({ directory })
    const note = new Y.Doc()
    const writer = new GridProvider(first, 'note', note)
    note.getText('body').insert(0, 'stored')
    await writer.destroy()
    const { addresses } = first
    await first.close()
    const grid = await openAlone({ directory, join: addresses })
    const doc = new Y.Doc()
    const provider = new GridProvider(grid, 'note', doc)
    const reported: unknown[] = []
    provider.on('status', ({ status }) => reported.push(status))
    provider.on('synced', (synced) => reported.push(synced))
    await provider.whenConnected
    expect(doc.getText('body').toJSON()).toBe('stored')
    expect(provider.synced).toBe(true)
    expect(provider.status).toBe('connecting')
    const other = await openAlone({ join: grid.addresses })
    await expect.poll(() => reported).toEqual([true, 'connected'])
    await Promise.all([grid.close(), other.close()])
    expect(reported).toEqual([true, 'connected', false, 'disconnected'])
    await rm(directory, { recursive: true })
  })

  it('is disconnected once its grid is closed, or its document is', async () => {
    const ada = await grids.open()
    const doc = new Y.Doc()
    const provider = new GridProvider(ada, 'note', doc)
    const reported: unknown[] = []
    provider.on('status', ({ status }) => reported.push(status))
    provider.on('sync', (synced) => reported.push(synced))
    await provider.whenConnected
    await ada.close()
    expect(reported).toEqual(['connected', true, false, 'disconnected'])
    provider.connect()
    await expect(provider.whenConnected).rejects.toMatchObject({ code: 'CLOSED' })
    expect(provider.status).toBe('disconnected')
    const late = new GridProvider(ada, 'other', new Y.Doc())
    await expect(late.whenConnected).rejects.toMatchObject({ code: 'CLOSED' })
    await Promise.all([provider.destroy(), late.destroy()])
  })

  it('goes on when a listener throws or rejects', async () => {
    const errors: unknown[] = []
    const ada = await grids.open({ logger: { ...silent, error: (message: string) => errors.push(message) } })
    const provider = new GridProvider(ada, 'note', new Y.Doc())
    const reported: unknown[] = []
    provider.on('status', () => {
      throw new Error('a bug of the application')
    })
    provider.on('status', (async () => Promise.reject(new Error('another bug'))) as () => void)
    provider.on('status', ({ status }) => reported.push(status))
    await provider.whenConnected
    await provider.disconnect()
    expect(reported).toEqual(['connected', 'disconnected'])
    expect(errors).toHaveLength(4)
    await provider.destroy()
  })

  it('calls a listener once that is to be called once, and not at all when it was taken away', async () => {
    const ada = await grids.open()
    const provider = new GridProvider(ada, 'note', new Y.Doc())
    const reported: string[] = []
    const once = (): void => void reported.push('once')
    const off = (): void => void reported.push('never')
    provider.once('status', once)
    provider.once('status', off)
    provider.off('status', off)
    await provider.whenConnected
    await provider.destroy()
    expect(reported).toEqual(['once'])
  })
})

describe('what was typed into a Y.Doc', () => {
  const edit = (doc: Y.Doc): void => {
    const text = doc.getText('body')
    text.insert(0, 'typed early')
    text.insert(5, ' rather')
    text.format(0, 5, { bold: true })
    text.delete(0, 1)
    doc.getMap('map').set('list', Y.Array.from([1, new Y.Text('nested')]))
  }
  const shown = (doc: Y.Doc): unknown => [doc.getText('body').toDelta(), doc.getMap('map').toJSON()]

  it.each<[string, (grid: Grid, doc: Y.Doc) => GridProvider]>([
    ['before its provider is made', (grid, doc) => (edit(doc), new GridProvider(grid, 'note', doc))],
    [
      'before its provider connects',
      (grid, doc) => {
        const provider = new GridProvider(grid, 'note', doc, { connect: false })
        edit(doc)
        provider.connect()
        return provider
      },
    ],
    [
      'before and after its provider is made',
      (grid, doc) => {
        doc.getText('title').insert(0, 'first')
        const provider = new GridProvider(grid, 'note', doc, { connect: false })
        edit(doc)
        provider.connect()
        doc.getText('title').insert(5, ' and last')
        return provider
      },
    ],
    [
      'under a client id that the application has set',
      (grid, doc) => {
        doc.clientID = 1
        edit(doc)
        return new GridProvider(grid, 'note', doc)
      },
    ],
  ])('%s is stored, beside what others have typed', async (_, provide) => {
    const ada = await grids.open()
    const bob = await grids.open()
    const there = await bob.doc('note')
    there.y.getText('other').insert(0, 'typed there')
    await expect.poll(() => ada.docs()).toEqual(['note'])
    const doc = new Y.Doc()
    const provider = provide(ada, doc)
    const text = doc.getText('body')
    await provider.whenConnected
    expect(doc.getText('other').toJSON()).toBe('typed there')
    await expect.poll(() => shown(there.y)).toEqual(shown(doc))
    // The shared types are the same ones, and go on.
    text.insert(1, '!')
    ;(doc.getMap('map').get('list') as Y.Array<Y.Text>).get(1).insert(0, 'deeply ')
    await expect.poll(() => shown(there.y)).toEqual(shown(doc))
    await expect.poll(() => there.y.getText('title').toJSON()).toBe(doc.getText('title').toJSON())
    there.y.getText('body').insert(0, 'both ways ')
    await expect.poll(() => shown(doc)).toEqual(shown(there.y))
    expect(new Set(there.y.store.clients.keys())).toEqual(new Set([there.y.clientID, doc.clientID]))
    await provider.destroy()
  })

  it('is not taken for this peer’s own where another provider follows it', async () => {
    const ada = await grids.open()
    const doc = new Y.Doc()
    doc.on('update', () => undefined)
    doc.getText('body').insert(0, 'sent elsewhere under this client id')
    const provider = new GridProvider(ada, 'note', doc)
    await expect(provider.whenConnected).rejects.toMatchObject({ code: 'DOCUMENT_FOREIGN' })
    await provider.destroy()
  })

  it('between two openings of the grid is stored by the second one', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'gossipgrid-'))
    const first = await openAlone({ directory })
    const doc = new Y.Doc()
    const before = new GridProvider(first, 'note', doc)
    doc.getText('body').insert(0, 'before')
    await before.whenConnected
    await first.close()
    doc.getText('body').insert(6, ', between')
    const second = await openAlone({ directory })
    const after = new GridProvider(second, 'note', doc)
    await after.whenConnected
    doc.getText('body').insert(15, ', after')
    await after.flush()
    expect((await second.doc('note')).y.getText('body').toJSON()).toBe('before, between, after')
    await after.destroy()
    await second.close()
    await rm(directory, { recursive: true })
  })

  it('of one document is not taken for another, and the one that is open goes on', async () => {
    const ada = await grids.open()
    const bob = await grids.open()
    const doc = new Y.Doc()
    const first = new GridProvider(ada, 'note', doc)
    await first.whenConnected
    for (const grid of [ada, bob]) {
      const second = new GridProvider(grid, 'other', doc)
      await expect(second.whenConnected).rejects.toMatchObject({ code: 'DOCUMENT_FOREIGN' })
      await second.destroy()
    }
    doc.getText('body').insert(0, 'goes on')
    await expect.poll(async () => (await bob.doc('note')).y.getText('body').toJSON()).toBe('goes on')
    await first.destroy()
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
