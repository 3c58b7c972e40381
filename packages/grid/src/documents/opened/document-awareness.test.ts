import { afterEach, describe, expect, it } from 'vitest'
import { Awareness, outdatedTimeout } from 'y-protocols/awareness'
import * as Y from 'yjs'
import type { Grid } from '../../grid.ts'
import { TestGrids } from '../../rig/test-grids.ts'
import { DocumentAwareness } from './document-awareness.ts'
import type { AwarenessMessage } from './document-awareness.ts'
import { GridProvider } from '../../yjs.ts'

let grids = new TestGrids()
afterEach(async () => {
  await grids.close()
  grids = new TestGrids()
})

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

async function two(): Promise<[ada: Grid, bob: Grid]> {
  return [await grids.open(), await grids.open()]
}

/** The names that an awareness shows, its own left out. */
function othersIn({ awareness }: { readonly awareness: Awareness }): unknown[] {
  return [...awareness.getStates()].flatMap(([client, { user }]) => (client === awareness.clientID ? [] : [user]))
}

const sees = async (at: { readonly awareness: Awareness }, ...users: unknown[]): Promise<void> => {
  await expect.poll(() => othersIn(at)).toEqual(users)
}

describe('the awareness of a provider', () => {
  it('is gone from others while it is disconnected, and back with its state when it connects again', async () => {
    const [ada, bob] = await two()
    const there = await bob.doc('note')
    there.awareness.setLocalStateField('user', 'Bob')
    const provider = new GridProvider(ada, 'note', new Y.Doc())
    provider.awareness.setLocalStateField('user', 'Ada')
    for (let i = 0; i < 3; i++) {
      await sees(there, 'Ada')
      await sees(provider, 'Bob')
      void provider.disconnect()
      expect(provider.awareness.getLocalState()).toEqual({ user: 'Ada' })
      expect(othersIn(provider)).toEqual([])
      await sees(there)
      provider.connect()
    }
    await sees(there, 'Ada')
    void provider.disconnect()
    provider.awareness.setLocalStateField('user', 'Ada, back')
    provider.connect()
    await sees(there, 'Ada, back')
    await provider.destroy()
    await sees(there)
  })

  it('is seen when the provider was made, destroyed and made again in one turn', async () => {
    const [ada, bob] = await two()
    const there = await bob.doc('note')
    const y = new Y.Doc()
    void new GridProvider(ada, 'note', y).destroy()
    const provider = new GridProvider(ada, 'note', y)
    provider.awareness.setLocalStateField('user', 'Ada')
    await sees(there, 'Ada')
    await provider.whenConnected
    void provider.destroy()
    const next = new GridProvider(ada, 'note', y)
    next.awareness.setLocalStateField('user', 'Ada again')
    await sees(there, 'Ada again')
    expect(next.awareness).not.toBe(provider.awareness)
    await next.destroy()
  })

  it('of the application is the same for all providers that it is passed to, and stays its own', async () => {
    const [ada, bob] = await two()
    const there = await bob.doc('note')
    const y = new Y.Doc()
    const awareness = new Awareness(y)
    awareness.setLocalStateField('user', 'Ada')
    const first = new GridProvider(ada, 'note', y, { awareness })
    void first.destroy()
    const second = new GridProvider(ada, 'note', y, { awareness })
    const third = new GridProvider(ada, 'note', y, { awareness })
    await sees(there, 'Ada')
    await second.destroy()
    awareness.setLocalStateField('user', 'Ada still')
    await sees(there, 'Ada still')
    await third.destroy()
    await sees(there)
    expect(awareness.getLocalState()).toEqual({ user: 'Ada still' })
    awareness.destroy()
  })

  it('is shared by two providers for one Y.Doc, and ends with the last', async () => {
    const [ada, bob] = await two()
    const there = await bob.doc('note')
    const y = new Y.Doc()
    const first = new GridProvider(ada, 'note', y)
    const second = new GridProvider(ada, 'note', y)
    expect(second.awareness).toBe(first.awareness)
    second.awareness.setLocalStateField('user', 'Ada')
    await first.destroy()
    y.getText('body').insert(0, 'typed')
    await expect.poll(() => there.y.getText('body').toJSON()).toBe('typed')
    await sees(there, 'Ada')
    await second.destroy()
    await sees(there)
    expect(second.awareness.getLocalState()).toBe(null)
  })
})

describe('the awareness of a document', () => {
  it('is seen by the other Y.Docs of the document in the same grid', async () => {
    const [ada] = await two()
    const [first, second] = [new GridProvider(ada, 'note', new Y.Doc()), new GridProvider(ada, 'note', new Y.Doc())]
    first.awareness.setLocalStateField('user', 'one')
    second.awareness.setLocalStateField('user', 'two')
    await sees(first, 'two')
    await sees(second, 'one')
    await first.destroy()
    await sees(second)
    await second.destroy()
  })

  it('is seen at once when the document is closed and opened again, however often its state has changed', async () => {
    const [ada, bob] = await two()
    const there = await bob.doc('note')
    for (const user of ['Ada', 'Ada again']) {
      const document = await ada.doc('note')
      for (let i = 0; i < 100; i++) document.awareness.setLocalStateField('cursor', i)
      document.awareness.setLocalStateField('user', user)
      await sees(there, user)
      await document.close()
      await sees(there)
    }
    const document = await ada.doc('note')
    document.awareness.setLocalStateField('user', 'once')
    await sees(there, 'once')
  })

  it('is back on both sides after a network split, with the states that they have now', async () => {
    const [ada, bob] = await two()
    const [here, there] = [await ada.doc('note'), await bob.doc('note')]
    here.awareness.setLocalStateField('user', 'Ada')
    there.awareness.setLocalStateField('user', 'Bob')
    await sees(here, 'Bob')
    await sees(there, 'Ada')
    grids.split([0], [1])
    // As when the other one has not been heard of for long enough.
    ada.documents.memberChanged(bob.peerId, 'gone')
    bob.documents.memberChanged(ada.peerId, 'gone')
    expect([...othersIn(here), ...othersIn(there)]).toEqual([])
    grids.heal()
    await ada.map('map').set('key', 1)
    await expect.poll(() => bob.map('map').peek('key')).toBe(1)
    ada.documents.memberChanged(bob.peerId, 'alive')
    await sees(here, 'Bob')
    await sees(there, 'Ada')
  })

  it('is one: another one for the open document, or one of another document, is refused', async () => {
    const [ada] = await two()
    const y = new Y.Doc()
    const awareness = new Awareness(y)
    const other = new Awareness(y)
    const first = await ada.doc('note', { doc: y, awareness })
    expect((await ada.doc('note', { doc: y })).awareness).toBe(awareness)
    await expect(ada.doc('note', { doc: y, awareness: other })).rejects.toMatchObject({ code: 'DOCUMENT_AWARENESS' })
    await expect(ada.doc('other', { awareness })).rejects.toMatchObject({ code: 'DOCUMENT_AWARENESS' })
    const provider = new GridProvider(ada, 'note', y, { awareness: other })
    await expect(provider.whenConnected).rejects.toMatchObject({ code: 'DOCUMENT_AWARENESS' })
    expect(first.endedBy).toBe(undefined)
    awareness.setLocalStateField('user', 'Ada')
    expect(awareness.clientID).toBe(y.clientID)
    expect(ada.docs()).toEqual([])
    awareness.destroy()
    // The place is free again.
    expect((await ada.doc('note', { doc: y, awareness: other })).awareness).toBe(other)
    other.destroy()
  })

  it('says goodbye for a grid that closes', async () => {
    const [ada, bob] = await two()
    const there = await bob.doc('note')
    ;(await ada.doc('note')).awareness.setLocalStateField('user', 'Ada')
    await sees(there, 'Ada')
    await ada.close()
    await sees(there)
  })

  it('has states that are no JSON, or too large, and goes on with the next one', async () => {
    const [ada, bob] = await two()
    const there = await bob.doc('note')
    const { awareness } = await ada.doc('note')
    awareness.setLocalStateField('user', 'Ada')
    await sees(there, 'Ada')
    awareness.setLocalStateField('user', 1n)
    awareness.setLocalStateField('user', 'x'.repeat(20_000))
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(othersIn(there)).toEqual(['Ada'])
    awareness.setLocalStateField('user', 'Ada again')
    await sees(there, 'Ada again')
  })
})

describe('states that other peers publish', () => {
  function open(): { awareness: Awareness; opened: DocumentAwareness; published: AwarenessMessage[] } {
    const awareness = new Awareness(new Y.Doc())
    const published: AwarenessMessage[] = []
    const publish = (message: AwarenessMessage): void => void published.push(message)
    const parts = { document: 'note', awareness, clock: { highest: 0 }, logger: silent, publish }
    return { awareness, opened: new DocumentAwareness(parts), published }
  }
  const state = (client: number, clock: number, user: string | null): AwarenessMessage => {
    return { document: 'note', client, clock, state: JSON.stringify(user === null ? null : { user }) }
  }

  it('go after y-protocols’ time, and come back with the next renewal', () => {
    const { awareness, opened } = open()
    opened.receive('peer', state(7, 3, 'Ada'))
    expect(othersIn(opened)).toEqual(['Ada'])
    awareness.meta.get(7)!.lastUpdated -= outdatedTimeout
    const interval = awareness._checkInterval as unknown as { _onTimeout(): void }
    interval._onTimeout()
    expect(othersIn(opened)).toEqual([])
    opened.receive('peer', state(7, 3, 'Ada'))
    expect(othersIn(opened)).toEqual([])
    opened.receive('peer', state(7, 4, 'Ada'))
    expect(othersIn(opened)).toEqual(['Ada'])
    awareness.destroy()
  })

  it('are not brought back by a late message, and leave little behind when they are gone', () => {
    const { awareness, opened } = open()
    for (let client = 1; client <= 5000; client++) {
      opened.receive('peer', state(client, 2, 'x'))
      opened.receive('peer', state(client, 3, null))
    }
    opened.receive('peer', state(5000, 2, 'late'))
    expect(othersIn(opened)).toEqual([])
    expect(awareness.meta.size).toBeLessThanOrEqual(1001)
    awareness.destroy()
  })

  it('do not come through a listener that throws without others being shown', () => {
    const { awareness, opened } = open()
    awareness.on('change', () => {
      throw new Error('a bug of the application')
    })
    opened.receive('peer', state(7, 3, 'Ada'))
    opened.receive('peer', state(8, 3, 'Bob'))
    expect(othersIn(opened)).toEqual(['Ada', 'Bob'])
    opened.close()
  })
})
