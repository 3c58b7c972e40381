import type { Network, Storage } from '@gossipgrid/core'
import fc from 'fast-check'
import type { Arbitrary, AsyncCommand } from 'fast-check'
import { memoryNetworkHub } from '@gossipgrid/testing/memory-network'
import type { Grid } from '../grid.ts'
import { openGrid } from '../open-grid.ts'
import { diskInMemory } from './test-grids.ts'

const PEERS = 3
const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

/** Numbers of peers, in groups that cannot reach each other. */
export type Split = readonly (readonly number[])[]

/** All ways to split three peers. The first one is no split. */
export const SPLITS: readonly Split[] = [[[0, 1, 2]], [[0], [1, 2]], [[0, 1], [2]], [[0, 2], [1]], [[0], [1], [2]]]

/**
 * Three peers with a store each, for tests that compare a collection with a plain model through network splits and
 * restarts.
 */
export class Islands {
  readonly peers: readonly number[] = Array.from({ length: PEERS }, (_, peer) => peer)
  readonly #hub = memoryNetworkHub()
  readonly #disks: readonly Storage[] = this.peers.map(() => diskInMemory())
  readonly #grids: Grid[] = []
  readonly #networks: Network[] = []
  #split: Split = SPLITS[0]!

  /** Opens all peers, without a split. */
  static async open(): Promise<Islands> {
    const islands = new Islands()
    for (const peer of islands.peers) await islands.#open(peer)
    return islands
  }

  get split(): Split {
    return this.#split
  }

  set split(split: Split) {
    this.#split = split
    this.#hub.split(...split.map((island) => island.map((peer) => this.#networks[peer]!.peerId)))
  }

  grid(peer: number): Grid {
    return this.#grids[peer]!
  }

  /** Closes a peer, and opens it again with its store. */
  async restart(peer: number): Promise<void> {
    await this.grid(peer).close()
    await this.#open(peer)
    this.split = this.#split
  }

  async close(): Promise<void> {
    await Promise.all(this.#grids.map((grid) => grid.close()))
  }

  async #open(peer: number): Promise<void> {
    const network = this.#hub.network({ join: this.#networks.flatMap((other) => other.addresses()) })
    this.#networks[peer] = network
    const storage = this.#disks[peer]!
    this.#grids[peer] = await openGrid({
      name: 'test',
      logger: silent,
      storage,
      network: () => Promise.resolve(network),
    })
  }
}

/** The command of a model test that settles, so that nothing is on its way, and then splits the peers. */
export class SplitInto<Model extends object, Real extends { readonly islands: Islands }> implements AsyncCommand<
  Model,
  Real
> {
  readonly #settle: AsyncCommand<Model, Real>
  readonly #split: Split

  constructor(settle: AsyncCommand<Model, Real>, split: Split) {
    this.#settle = settle
    this.#split = split
  }

  check = (): boolean => true

  async run(model: Model, real: Real): Promise<void> {
    await this.#settle.run(model, real)
    real.islands.split = this.#split
  }

  toString = (): string => `split into ${JSON.stringify(this.#split)}`
}

/** Runs commands on three peers and on a plain model of a collection, which must be alike, also once a split has healed. */
export async function checkModel<Model extends object, Real extends { readonly islands: Islands }>(
  commands: readonly Arbitrary<AsyncCommand<Model, Real>>[],
  settle: AsyncCommand<Model, Real>,
  start: (islands: Islands) => { readonly model: Model; readonly real: Real },
): Promise<void> {
  await fc.assert(
    fc.asyncProperty(fc.commands([...commands], { maxCommands: 40, size: 'max' }), async (run) => {
      const islands = await Islands.open()
      try {
        const { model, real } = start(islands)
        await fc.asyncModelRun(() => ({ model, real }), run)
        await new SplitInto(settle, SPLITS[0]!).run(model, real)
        await settle.run(model, real)
      } finally {
        await islands.close()
      }
    }),
    { numRuns: 20, interruptAfterTimeLimit: 12_000 },
  )
}
