import type { Partition } from '@gossipgrid/core'
import type { Grid } from '../../../../packages/grid/src/grid.ts'
import { covers } from '../../../../packages/grid/src/guests/covering.ts'
import type { Grant } from '../../../../packages/grid/src/guests/grants.ts'
import { guestNameOf } from '../../../../packages/grid/src/guests/map-kinds.ts'
import type { LiveQuery } from '../../../../packages/grid/src/live/live-query.ts'
import type { QueryRow } from '../../../../packages/grid/src/queries/query.ts'
import { MAPS, rowsOf } from '../guest-oracle.ts'
import type { GuestWorld } from '../guest-workload.ts'
import { Rounds } from '../rounds.ts'
import type { SimulatedGuest } from '../simulated-guest.ts'
import { writtenText } from '../written-values.ts'

type Value = { readonly text: string; readonly size: number }

/** What queries load. To be called before virtual time begins: files take real time. */
export async function loadQueries(): Promise<void> {
  await Promise.all([
    import('../../../../packages/grid/src/queries/map-queries.ts'),
    import('../../../../packages/grid/src/live/open-live.ts'),
  ])
}

/** What a guest has of a map, and what it is allowed, at one moment. */
interface Moment {
  readonly grants: readonly Grant[]
  /** Keys of its own writes that wait for their answer. */
  readonly waiting: ReadonlySet<string>
  readonly rows: readonly { readonly key: string; readonly text: string; readonly size: number }[]
}

interface Followed {
  readonly grid: Grid
  readonly map: string
  readonly query: LiveQuery<unknown>
}

/**
 * Guests query their own maps, and keep live queries open. Each gives what the pass covers, with the guest's own writes that wait, and nothing else: also of
 * what was there before the pass became smaller.
 */
export class OwnQueries {
  readonly #world: GuestWorld
  readonly #rounds: Rounds
  readonly #violated: (violation: string) => void
  readonly #followed = new Map<SimulatedGuest, Followed[]>()
  /** Queries that were answered. */
  answered = 0

  constructor(world: GuestWorld, violated: (violation: string) => void) {
    this.#world = world
    this.#rounds = new Rounds(world)
    this.#violated = violated
  }

  start(): void {
    this.#rounds.begin(() => this.#ask(), 300)
  }

  end(): void {
    this.#rounds.end()
  }

  /** Looks at the live queries, and opens those of guests that have started again. */
  check(): void {
    for (const guest of this.#world.guests) {
      const { grid } = guest
      const followed = this.#followed.get(guest) ?? []
      if (grid === undefined) continue
      if (followed[0]?.grid !== grid) this.#follow(guest, grid)
      else for (const { map, query } of followed) this.#checkLive(guest, map, query)
    }
  }

  #follow(guest: SimulatedGuest, grid: Grid): void {
    const followed: Followed[] = []
    this.#followed.set(guest, followed)
    for (const map of MAPS)
      grid
        .map(map)
        .live()
        .then(
          (query) => followed.push({ grid, map, query }),
          () => undefined,
        )
    grid
      .map<Value>('board')
      .index('size')
      .catch(() => undefined)
  }

  #checkLive(guest: SimulatedGuest, map: string, query: LiveQuery<unknown>): void {
    const now = momentOf(guest, map)
    const rows = query.rows
    this.#checkRows(`a live query of ${guest.peerId}`, guest, map, rows, [now])
    const [shown, there] = [textsOf(rows), now.rows.map(({ key, text }) => `${key}=${text}`).toSorted()]
    if (shown.join() !== there.join())
      this.#violated(`a live query of ${guest.peerId} shows ${shown.join()} of '${map}', which has ${there.join()}`)
  }

  #ask(): void {
    const { guests, random } = this.#world
    const guest = random.pick(guests)
    const map = random.pick(MAPS)
    const act = random.pick(['all', 'some', 'count'] as const)
    const size = random.below(10)
    if (guest.grid === undefined) return
    void this.#query(guest, guest.grid, map, act, size).catch(() => undefined)
  }

  async #query(
    guest: SimulatedGuest,
    grid: Grid,
    name: string,
    act: 'all' | 'some' | 'count',
    size: number,
  ): Promise<void> {
    const map = grid.map<Value>(name)
    const isSome = act === 'some' && name === 'board'
    const where = isSome ? { size: { $gte: size } } : {}
    const before = momentOf(guest, name)
    const wanted = before.rows.filter((row) => !isSome || row.size >= size)
    if (act === 'count') {
      const count = await map.count(where)
      if (isSame(before, momentOf(guest, name)) && count !== wanted.length)
        this.#violated(`${guest.peerId} counts ${count} of '${name}', which has ${wanted.length}`)
    } else {
      const { rows } = await map.query({ where, ...(isSome ? { orderBy: '-size' as const } : {}) })
      const after = momentOf(guest, name)
      this.#checkRows(`a query of ${guest.peerId}`, guest, name, rows, [before, after])
      const [found, there] = [textsOf(rows), wanted.map(({ key, text }) => `${key}=${text}`).toSorted()]
      if (isSame(before, after) && found.join() !== there.join())
        this.#violated(`a query of ${guest.peerId} gives ${found.join()} of '${name}', which has ${there.join()}`)
    }
    this.answered += 1
  }

  /** A row is covered by the pass at one of these moments, or it is a write of the guest itself that waits for its answer. */
  #checkRows(
    who: string,
    guest: SimulatedGuest,
    map: string,
    rows: readonly QueryRow<unknown>[],
    moments: readonly Moment[],
  ): void {
    for (const { key, value } of rows) {
      if (moments.some(({ grants }) => covers(grants, 'read', map, key))) continue
      const text = writtenText(value)
      const isOwn = this.#world.oracle.ledger.find(text)?.guest === guest.index
      if (!isOwn || !moments.some(({ waiting }) => waiting.has(key)))
        this.#violated(`${who} gives '${key}' of '${map}', which its pass does not cover: ${text}`)
    }
  }
}

function momentOf(guest: SimulatedGuest, map: string): Moment {
  guest.look()
  const { grants = [], grid, outbox } = guest
  const partition = grid && partitionOf(grid, map)
  if (partition === undefined || outbox === undefined) return { grants, waiting: new Set(), rows: [] }
  const rows = rowsOf(partition)
  const waiting = rows.filter(({ rowKey }) => outbox.has(partition, rowKey)).map(({ key }) => key)
  return { grants, waiting: new Set(waiting), rows: rows.map(({ key, size, value }) => ({ key, size, text: value })) }
}

function partitionOf(grid: Grid, map: string): Partition | undefined {
  const partitions = [...grid.pump.peer.collections].flatMap((collection) => [...collection.partitions])
  return partitions.find(({ name }) => guestNameOf(name) === map)
}

function isSame(one: Moment, other: Moment): boolean {
  const [first, second] = [one, other].map(({ rows }) => JSON.stringify(rows))
  return first === second
}

function textsOf(rows: readonly QueryRow<unknown>[]): string[] {
  return rows.map(({ key, value }) => `${key}=${writtenText(value)}`).toSorted()
}
