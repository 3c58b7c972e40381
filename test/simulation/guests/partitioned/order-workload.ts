import type { Grid } from '../../../../packages/grid/src/grid.ts'
import { covers, coveredWithin } from '../../../../packages/grid/src/guests/covering.ts'
import type { Grant } from '../../../../packages/grid/src/guests/grants.ts'
import type { PartitionedMap } from '../../../../packages/grid/src/partitioned/partitioned-map.ts'
import type { GuestWorld } from '../guest-workload.ts'
import { Rounds } from '../rounds.ts'
import type { SimulatedGuest } from '../simulated-guest.ts'
import { writtenText, writtenValue } from '../written-values.ts'
import type { OrderOracle } from './order-oracle.ts'
import { ORDERS, SHARED } from './orders.ts'
import type { Order, OrderOptions } from './orders.ts'

const SUBJECTS = ['ada', 'ben', 'cy'] as const
/** Members and guests read, write and query a partitioned map. Guests do so through their members. */
export class OrderWorkload {
  readonly #world: GuestWorld
  readonly #rounds: Rounds
  readonly #oracle: OrderOracle
  readonly #options: OrderOptions
  #count = 0

  constructor(world: GuestWorld, oracle: OrderOracle, options: OrderOptions) {
    this.#world = world
    this.#rounds = new Rounds(world)
    this.#oracle = oracle
    this.#options = options
  }

  start(): void {
    this.#rounds.begin(() => this.#memberWrites(), 500)
    this.#rounds.begin(() => this.#guestWrites(), 250)
    this.#rounds.begin(() => this.#guestReads(), 250)
  }

  end(): void {
    this.#rounds.end()
  }

  /** What is not yet as it must be in the end. */
  async unsettled(grantsOf: (subject: string) => readonly Grant[]): Promise<string | undefined> {
    const { guests, members } = this.#world
    for (const { grid, peerId } of members) {
      const hints = [...(grid!.pump.peer.partitions.hints ?? [])].length
      if (hints > 0) return `${peerId} has ${hints} rows of '${ORDERS}' that owners have not confirmed`
    }
    const lost = this.#oracle.lost()
    if (lost !== undefined) return lost
    const keys = this.#oracle.keys()
    const [first, ...others] = members.map(({ grid }) => this.#map(grid!))
    const expected = await shownBy(first!, keys)
    for (const [i, other] of others.entries()) {
      const found = await shownBy(other, keys)
      if (found !== expected) return `members read other orders: 0 ${expected}, ${i + 1} ${found}`
    }
    for (const guest of guests) {
      const problem = await this.#differs(guest, grantsOf(guest.subject), expected)
      if (problem !== undefined) return problem
    }
    return undefined
  }

  async #differs(
    { grid, peerId }: SimulatedGuest,
    grants: readonly Grant[],
    expected: string,
  ): Promise<string | undefined> {
    const map = this.#map(grid!)
    const isCovered = (key: string): boolean => covers(grants, 'read', ORDERS, key)
    const all = expected === '' ? [] : expected.split(',')
    const wanted = all.filter(isCovered).join()
    const found = await shownBy(map, this.#oracle.keys().filter(isCovered))
    if (found !== wanted) return `${peerId} reads the orders ${found} instead of ${wanted}`
    const { rows } = await map.query({})
    const queried = rows.map(({ key, value }) => `${key}=${writtenText(value)}`).toSorted()
    if (queried.join() !== wanted) return `a query of ${peerId} gives the orders ${queried.join()} instead of ${wanted}`
    const walked: string[] = []
    for await (const [key, value] of map.entries()) walked.push(`${key}=${writtenText(value)}`)
    if (walked.toSorted().join() !== wanted)
      return `${peerId} walks through the orders ${walked.join()} instead of ${wanted}`
    const { count } = await map.count()
    return count === queried.length ? undefined : `${peerId} counts ${count} orders instead of ${queried.length}`
  }

  #map(grid: Grid): PartitionedMap<Order> {
    return grid.map<Order>(ORDERS, this.#options)
  }

  #memberWrites(): void {
    const { members, random } = this.#world
    const { grid, peerId } = random.pick(members)
    const key = this.#key(random.pick(SUBJECTS))
    const isDelete = random.chance(0.2)
    this.#count += 1
    if (grid === undefined) return
    const map = this.#map(grid)
    if (isDelete) {
      this.#oracle.deletes(key)
      map.delete(key).catch(() => undefined)
      return
    }
    const write = this.#oracle.wrote(undefined, key, `${peerId} #${this.#count}`)
    map.set(key, this.#value(write.text)).then(
      ({ version }) => {
        write.hlc ??= version.hlc
        write.isTaken = true
      },
      () => undefined,
    )
  }

  #guestWrites(): void {
    const { guests, random } = this.#world
    const { grid, index, peerId, subject } = random.pick(guests)
    const key = this.#key(random.chance(0.8) ? subject : random.pick(SUBJECTS))
    const act = random.pick(['set', 'set', 'set', 'update', 'delete'] as const)
    const isBad = random.chance(0.2)
    const timeoutMs = random.pick([500, 3000, 10_000, 30_000])
    this.#count += 1
    if (grid === undefined) return
    const map = this.#map(grid)
    const text = `${isBad ? 'bad ' : ''}${peerId} #${this.#count}`
    const value = this.#value(text)
    if (act !== 'delete') this.#oracle.wrote(index, key, text)
    const done = {
      set: () => map.set(key, value, { timeoutMs }),
      update: () => map.update(key, () => value, { timeoutMs }),
      delete: () => map.delete(key, { timeoutMs }),
    }[act]()
    done.catch(() => undefined)
  }

  /** The oracle looks at what comes on the wire. */
  #guestReads(): void {
    const { guests, random } = this.#world
    const guest = random.pick(guests)
    const keys = [0, 1, 2].map(() => this.#key(random.chance(0.8) ? guest.subject : random.pick(SUBJECTS)))
    const act = random.pick(['get', 'get all', 'getMany', 'query', 'sorted', 'count', 'walk', 'walk some'] as const)
    const size = random.below(10)
    const options = { timeoutMs: random.pick([500, 3000, 10_000]) }
    const { grid } = guest
    if (grid === undefined) return
    const map = this.#map(grid)
    // A guest that knows that its pass does not cover a key asks no member, so it asks for what it may.
    guest.look()
    const prefixes = coveredWithin(guest.grants ?? [], ORDERS, '')
    const prefix = prefixes[size % Math.max(1, prefixes.length)] ?? ''
    const done = {
      get: () => map.get(keys[0]!, options),
      'get all': () => map.get(keys[0]!, { ...options, from: 'all' }),
      getMany: () => map.getMany(keys, options),
      query: () => map.query({ where: { size: { $gte: size } } }, options),
      sorted: () => map.query({ orderBy: '-size', limit: 3 }, options),
      count: () => map.count({ size: { $gte: size } }, options),
      walk: () => walked(map.entries(options)),
      'walk some': () => walked(map.entries({ ...options, prefix })),
    }[act]()
    done.catch(() => undefined)
  }

  #value(text: string): Order {
    return writtenValue(ORDERS, text, this.#count % 10) as Order
  }

  #key(subject: string): string {
    const { random } = this.#world
    return `${random.chance(0.3) ? SHARED : subject}/${random.below(4)}`
  }
}

async function walked(entries: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of entries);
}

async function shownBy(map: PartitionedMap<Order>, keys: readonly string[]): Promise<string> {
  const shown: string[] = []
  for (const key of keys) {
    const value = await map.get(key)
    if (value !== undefined) shown.push(`${key}=${writtenText(value)}`)
  }
  return shown.join()
}
