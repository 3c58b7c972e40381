import { libp2pNetwork, openGrid } from 'gossipgrid'
import type { Grid, GridDocument, Libp2pNetwork } from 'gossipgrid'
import type { Answering } from './answer-lines.ts'
import { WRITES_PER_ROUND } from './matrix-calls.ts'
import type { MatrixCalls, MatrixOpening } from './matrix-calls.ts'

interface OpenPeer {
  readonly self: string
  readonly grid: Grid
  readonly network: Libp2pNetwork
  readonly document: GridDocument
}

/**
 * One peer of the matrix. It performs the calls on any runtime: no code here knows which one. The program around it
 * passes the calls on, by whatever channel its runtime has.
 */
export function matrixPeer(): Answering<MatrixCalls> {
  let opened: OpenPeer | undefined
  const peer = (): OpenPeer => {
    if (opened === undefined) throw new Error('this peer is not open')
    return opened
  }
  return {
    open: async (opening) => {
      opened = await open(opening)
      return { peerId: opened.grid.peerId, addresses: opened.grid.addresses }
    },
    write: async ({ round }) => {
      await write(peer(), round)
      return null
    },
    split: async (peerIds) => {
      const { network } = peer()
      if (peerIds.length === 0) network.unblock()
      else network.block(peerIds)
      return null
    },
    state: async () => {
      const { grid, network } = peer()
      const fingerprints = grid
        .status()
        .collections.map(({ name, entries, fingerprint }) => `${name} ${entries} ${fingerprint}`)
      return { neighbours: network.neighbours().length, fingerprints: fingerprints.toSorted().join(', ') }
    },
    content: async () => {
      const { grid, document } = peer()
      const map: [string, string][] = []
      for await (const entry of grid.map<string>('map').entries()) map.push(entry)
      const set: string[] = []
      for await (const element of grid.set<string>('set').values()) set.push(element)
      map.sort(([a], [b]) => (a < b ? -1 : 1))
      const text = document.y.getText('body').toJSON()
      return { map, counter: grid.counter('counter').value, set: set.sort(), text }
    },
    close: async () => {
      await opened?.grid.close()
      return null
    },
  }
}

async function open({ self, directory, listen, join }: MatrixOpening): Promise<OpenPeer> {
  let network: Libp2pNetwork | undefined
  const quiet = (): void => undefined
  const grid = await openGrid({
    name: 'matrix',
    secret: 'a secret, so that each runtime shows its cryptography',
    ...(directory === undefined ? {} : { directory }),
    ...(listen === undefined ? {} : { listen }),
    join,
    mdns: false,
    logger: { debug: quiet, info: quiet, warn: quiet, error: quiet },
    network: async (options) => (network = await libp2pNetwork(options)),
  })
  if (network === undefined) throw new Error('the grid was opened without its network')
  return { self, grid, network, document: await grid.doc('document') }
}

/** Writes keys, elements and words of its own, and some that all peers set, add and take out at the same time. */
async function write({ self, grid, document }: OpenPeer, round: number): Promise<void> {
  const [map, counter, set] = [grid.map<string>('map'), grid.counter('counter'), grid.set<string>('set')]
  const numbers = Array.from({ length: WRITES_PER_ROUND }, (_, i) => i)
  await Promise.all([
    ...numbers.map((i) => map.set(`${self} ${round} ${i}`, `of ${self}`)),
    ...numbers.map((i) => map.set(`shared ${i}`, `${self} in round ${round}`)),
    ...numbers.map(() => counter.increment()),
    ...numbers.map((i) => set.add(`${self} ${round} ${i}`)),
    ...numbers.map((i) => (i % 2 === 0 ? set.add(`shared ${i}`) : set.delete(`shared ${i - 1}`))),
    typed(
      document,
      numbers.map((i) => `${self}-${round}-${i}`),
    ),
  ])
}

/** Types words at both ends of the text, so that no peer types into a word, and takes the first of them out again. */
async function typed(document: GridDocument, words: readonly string[]): Promise<void> {
  const text = document.y.getText('body')
  for (const [i, word] of words.entries()) {
    text.insert(i % 2 === 0 ? 0 : text.length, `${word} `)
    if (i % 5 === 0) await document.flush()
  }
  const [first] = words
  text.delete(text.toJSON().indexOf(`${first} `), first!.length + 1)
  await document.flush()
}
