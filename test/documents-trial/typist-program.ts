/** A typist with a peer, in a process of its own. */
import { libp2pNetwork, openGrid } from 'gossipgrid'
import type { Grid, GridDocument, Libp2pNetwork } from 'gossipgrid'
import * as Y from 'yjs'
import { paperTrace } from '../../bench/trace.ts'
import { answerLines } from '../runtimes/answer-lines.ts'
import type { TypedCharacter, TypistCalls, TypistOpening } from './typist-calls.ts'
import { Typist } from './typist.ts'

/** Longer than the part that is typed. */
const SLICE_KEYSTROKES = 40_000

interface Seated {
  readonly grid: Grid
  readonly network: Libp2pNetwork
  readonly document: GridDocument
  readonly text: Y.Text
  readonly typist: Typist
}

let seated: Seated | undefined

function seat(): Seated {
  if (seated === undefined) throw new Error('this peer is not open')
  return seated
}

answerLines<TypistCalls>({
  open: async (opening) => {
    seated = await open(opening)
    return { peerId: seated.grid.peerId, addresses: seated.grid.addresses }
  },
  type: async (count) => {
    const { typist, document } = seat()
    await typist.type(count)
    await document.flush()
    return null
  },
  split: async (peerIds) => {
    const { network } = seat()
    network.unblock()
    network.block(peerIds)
    return null
  },
  state: async () => {
    const { grid, network, document } = seat()
    const fingerprints = grid.status().collections.map(({ entries, fingerprint }) => `${entries} ${fingerprint}`)
    const stateVector = Buffer.from(Y.encodeStateVector(document.y)).toString('base64')
    return { neighbours: network.neighbours().length, fingerprint: fingerprints.join(), stateVector }
  },
  text: async () => seat().text.toJSON(),
  characters: async () => charactersOf(seat().document.y),
  ledger: async () => seat().typist.ledger,
  close: async () => {
    await seated?.document.close()
    await seated?.grid.close()
    return null
  },
})

async function open({ seat, directory, join }: TypistOpening): Promise<Seated> {
  let network: Libp2pNetwork | undefined
  const quiet = (): void => undefined
  const grid = await openGrid({
    name: 'typists',
    directory,
    listen: ['/ip4/127.0.0.1/tcp/0'],
    join,
    mdns: false,
    logger: { debug: quiet, info: quiet, warn: quiet, error: quiet },
    network: async (options) => (network = await libp2pNetwork(options)),
  })
  if (network === undefined) throw new Error('the grid was opened without its network')
  const document = await grid.doc('paper')
  const text = document.y.getText('paper')
  const slice = (await paperTrace()).slice(seat * SLICE_KEYSTROKES, (seat + 1) * SLICE_KEYSTROKES)
  return { grid, network, document, text, typist: new Typist(document.y, text, seat, slice) }
}

function charactersOf(doc: Y.Doc): TypedCharacter[] {
  const shown: TypedCharacter[] = []
  for (const struct of Y.decodeUpdate(Y.encodeStateAsUpdate(doc)).structs) {
    if (!(struct instanceof Y.Item) || !(struct.content instanceof Y.ContentString)) continue
    const { client, clock } = struct.id
    for (const [i, text] of Array.from(struct.content.str).entries()) shown.push([client, clock + i, text])
  }
  return shown
}
