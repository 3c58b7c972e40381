import { openGrid } from 'gossipgrid'
import type { Grid, GuestStatus, OpenGridOptions } from 'gossipgrid'

/** The program of a tab under test: it has one grid and a map of numbers. */
export interface GridPage {
  open(options: OpenGridOptions): Promise<string>
  set(key: string, value: number): Promise<boolean>
  get(key: string): Promise<number | undefined>
  size(): number
  fingerprint(): string | undefined
  addresses(): readonly string[]
  states(): Record<string, string>
  connected(): readonly string[]
  /** How it stands as a guest. */
  guest(): GuestStatus | undefined
  storage(): { readonly persistent: boolean; readonly error: string }
  /** Counts under a key, and adds the key to a set under itself. Resolves to what is there then. */
  visit(key: string): Promise<{ readonly count: number | undefined; readonly tags: readonly string[] | undefined }>
  /** Writes three cities, and asks for those of a country by an index, and live. */
  ask(
    country: string,
  ): Promise<{ readonly index: readonly string[] | undefined; readonly found: string[]; readonly live: string[] }>
  /** Types at the end of a document. Resolves to its text when that is stored. */
  type(name: string, text: string): Promise<string>
  /** The text of a document. */
  read(name: string): Promise<string>
  /** Publishes on the topic 'talk'. */
  say(text: string): Promise<void>
  /** Drops the map. */
  drop(): Promise<boolean>
  close(): Promise<void>
  /** Writes numbers from `first` on, one after the other, and reports each acknowledged one to the web server. */
  writeOn(first: number): Promise<void>
}

let grid: Grid

const page: GridPage = {
  open: async (options) => {
    grid = await openGrid(options)
    return grid.peerId
  },
  set: async (key, value) => (await grid.map<number>('numbers').set(key, value)).durable,
  get: (key) => grid.map<number>('numbers').get(key),
  size: () => grid.map<number>('numbers').size,
  fingerprint: () => grid.status().collections.find(({ name }) => name === 'numbers')?.fingerprint,
  addresses: () => grid.addresses,
  states: () => Object.fromEntries(grid.members.map(({ peerId, state }) => [peerId, state])),
  connected: () => grid.members.filter(({ connected }) => connected).map(({ peerId }) => peerId),
  guest: () => grid.status().guest,
  storage: () => grid.status().storage,
  visit: async (key) => {
    const [visits, tags] = [grid.counters('visits'), grid.sets<string>('tags')]
    await Promise.all([visits.increment(key), tags.add(key, key)])
    return { count: visits.peek(key), tags: tags.peek(key) }
  },
  ask: async (country) => {
    const cities = grid.map<{ country: string; people: number }>('cities')
    const query = { where: { country }, orderBy: '-people' } as const
    await cities.index(['country', 'people'])
    const live = await cities.live(query)
    await cities.set('nice', { country: 'FR', people: 3 })
    await cities.set('lyon', { country: 'FR', people: 4 })
    await cities.set('bonn', { country: 'DE', people: 5 })
    const keys = (rows: readonly { readonly key: string }[]): string[] => rows.map(({ key }) => key)
    const { index } = await cities.explain(query)
    return { index, found: keys((await cities.query(query)).rows), live: keys(live.rows) }
  },
  type: async (name, text) => {
    const document = await grid.doc(name)
    const body = document.y.getText('body')
    body.insert(body.length, text)
    await document.flush()
    const all = body.toJSON()
    await document.close()
    return all
  },
  read: async (name) => {
    const document = await grid.doc(name)
    const text = document.y.getText('body').toJSON()
    await document.close()
    return text
  },
  say: (text) => grid.topic<string>('talk').publish(text),
  drop: async () => (await grid.dropCollection('numbers')) !== undefined,
  close: () => grid.close(),
  writeOn: async (first) => {
    for (let n = first; ; n++) {
      await grid.map<number>('numbers').set(`n${n}`, n)
      void fetch(`/acknowledged/${n}`, { keepalive: true })
    }
  },
}
Object.assign(globalThis, { peer: page })
