import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { openGrid } from 'gossipgrid'
import type { Grid, OpenGridOptions } from 'gossipgrid'
import { expect } from 'vitest'

const EQUAL_WITHIN_MS = 90_000

/** Real peers on directories that tests damage, copy and restore. All are removed at the end. */
export class GridDirectories {
  /** Warnings of all peers. */
  readonly warnings: string[] = []
  readonly #root: string
  readonly #grids = new Set<Grid>()

  private constructor(root: string) {
    this.#root = root
  }

  static async make(): Promise<GridDirectories> {
    return new GridDirectories(await mkdtemp(join(tmpdir(), 'gossipgrid-directories-')))
  }

  path(name: string): string {
    return join(this.#root, name)
  }

  /** Opens a peer on the directory of that name. It joins through one of the others. */
  async open(name: string, others: readonly Grid[] = [], options: Partial<OpenGridOptions> = {}): Promise<Grid> {
    const quiet = (): void => undefined
    const grid = await openGrid({
      name: 'directories',
      directory: this.path(name),
      listen: ['/ip4/127.0.0.1/tcp/0'],
      mdns: false,
      join: others.flatMap((other) => other.addresses),
      logger: { debug: quiet, info: quiet, warn: (line) => void this.warnings.push(line), error: quiet },
      ...options,
    })
    this.#grids.add(grid)
    return grid
  }

  async copy(from: string, to: string): Promise<void> {
    await rm(this.path(to), { recursive: true, force: true })
    await cp(this.path(from), this.path(to), { recursive: true })
  }

  async close(): Promise<void> {
    await Promise.all([...this.#grids].map((grid) => grid.close()))
    await rm(this.#root, { recursive: true, force: true })
  }
}

/** Waits until the fingerprints of all are equal, then compares every entry. Returns the entries. */
export async function equalEntries(...grids: readonly Grid[]): Promise<Record<string, unknown>> {
  const endMs = performance.now() + EQUAL_WITHIN_MS
  while (new Set(grids.map(fingerprints)).size > 1) {
    if (performance.now() > endMs) throw new Error(`Still different:\n${grids.map(fingerprints).join('\n')}`)
    await delay(20)
  }
  const [first, ...others] = await Promise.all(grids.map(entriesOf))
  for (const other of others) expect(other).toEqual(first)
  return first!
}

export async function entriesOf(grid: Grid): Promise<Record<string, unknown>> {
  const entries: Record<string, unknown> = {}
  for await (const [key, value] of grid.map('notes').entries()) entries[key] = value
  return entries
}

function fingerprints(grid: Grid): string {
  const { collections } = grid.status()
  return collections.map(({ name, entries, fingerprint }) => `${name} ${entries} ${fingerprint}`).join(', ')
}

/** The reasons of the recoveries that a peer reported. */
export function reasonsOf(grid: Grid): string {
  return grid
    .status()
    .recoveries.map(({ reason }) => reason)
    .join('; ')
}
