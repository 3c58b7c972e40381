import { openGrid } from 'gossipgrid'
import type { Grid, OpenGridOptions } from 'gossipgrid'

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
  storage(): { readonly persistent: boolean; readonly error: string }
  close(): Promise<void>
  /** Writes numbers one after the other, and reports each acknowledged one to the web server. */
  writeOn(): Promise<void>
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
  storage: () => grid.status().storage,
  close: () => grid.close(),
  writeOn: async () => {
    for (let n = 0; ; n++) {
      await grid.map<number>('numbers').set(`n${n}`, n)
      void fetch(`/acknowledged/${n}`, { keepalive: true })
    }
  },
}
Object.assign(globalThis, { peer: page })
