import { memoryStorage } from '@gossipgrid/storage'
import type { Network, Storage } from '@gossipgrid/core'
import { memoryNetworkHub } from '@gossipgrid/testing/memory-network'
import type { Grid } from '../grid.ts'
import { openGrid } from '../open-grid.ts'
import type { OpenGridOptions } from '../open-grid-options.ts'

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

/** Opens grids that meet within one program, and closes all of them at the end of a test. */
export class TestGrids {
  readonly #hub = memoryNetworkHub()
  readonly #grids: Grid[] = []
  readonly #networks: Network[] = []

  /** Opens a peer that joins the first one. */
  async open(options: Partial<OpenGridOptions> = {}): Promise<Grid> {
    const network = this.#hub.network({ join: this.#networks.slice(0, 1).flatMap((first) => first.addresses()) })
    this.#networks.push(network)
    const grid = await openGrid({
      name: 'test',
      logger: silent,
      storage: memoryStorage(),
      network: () => Promise.resolve(network),
      ...options,
    })
    this.#grids.push(grid)
    return grid
  }

  /** A member that sends what a test gives to its network. It listens to messages on its streams, and to nothing else. */
  async openBareMember(message: (bytes: Uint8Array) => void = () => undefined): Promise<Network> {
    const network = this.#hub.network({ join: this.#networks.slice(0, 1).flatMap((first) => first.addresses()) })
    this.#networks.push(network)
    const nothing = (): void => undefined
    await network.start({
      connected: nothing,
      disconnected: nothing,
      message: (_, bytes) => message(bytes),
      broadcast: nothing,
      direct: nothing,
      hostile: nothing,
    })
    return network
  }

  /** Splits the peers into groups that cannot reach each other. Peers are numbered in the order of opening. */
  split(...groups: readonly (readonly number[])[]): void {
    this.#hub.split(...groups.map((group) => group.map((index) => this.#networks[index]!.peerId)))
  }

  heal(): void {
    this.#hub.heal()
  }

  async close(): Promise<void> {
    await Promise.all(this.#grids.map((grid) => grid.close()))
  }
}

/** A store in memory that counts as persistent. Writes fail with `failure` while it is set. */
export function diskInMemory(): Storage & { failure: Error | undefined } {
  const memory = memoryStorage()
  const disk = {
    failure: undefined as Error | undefined,
    persistent: true,
    read: (key: string) => memory.read(key),
    list: (prefix: string) => memory.list(prefix),
    close: () => Promise.resolve(),
    write: (...[batch, options]: Parameters<Storage['write']>) =>
      disk.failure === undefined ? memory.write(batch, options) : Promise.reject(disk.failure),
  }
  return disk
}

/** Waits until `holds` returns true, at most a minute. */
export async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const endMs = performance.now() + 60_000
  while (!(await holds())) {
    if (performance.now() > endMs) throw new Error(`still not: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** The first `count` of what a loop gives. All of it, unless `count` says otherwise. */
export async function collect<T>(items: AsyncIterable<T>, count: number = Infinity): Promise<T[]> {
  const collected: T[] = []
  for await (const item of items) if (collected.push(item) >= count) break
  return collected
}
