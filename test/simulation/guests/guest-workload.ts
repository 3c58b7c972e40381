import type { Hub, SimulatedMember } from './simulated-member.ts'
import type { Random } from '../../../packages/testing/src/random.ts'
import { MAPS } from './guest-oracle.ts'
import type { GuestOracle } from './guest-oracle.ts'
import { Rounds } from './rounds.ts'
import type { SimulatedGuest } from './simulated-guest.ts'
import type { VirtualTime } from './virtual-time.ts'
import { writtenText, writtenValue } from './written-values.ts'

/** What happens in a simulation, and to what. */
export interface GuestWorld {
  readonly time: VirtualTime
  readonly hub: Hub
  readonly members: readonly SimulatedMember[]
  readonly guests: readonly SimulatedGuest[]
  readonly oracle: GuestOracle
  readonly random: Random
}

/** Reads and writes of members and guests. */
export class GuestWorkload {
  readonly #world: GuestWorld
  readonly #rounds: Rounds
  readonly #deleted = new Set<string>()
  #count = 0

  constructor(world: GuestWorld) {
    this.#world = world
    this.#rounds = new Rounds(world)
  }

  start(): void {
    this.#rounds.begin(() => this.#memberWrites(), 300)
    this.#rounds.begin(() => this.#guestWrites(), 200)
  }

  end(): void {
    this.#rounds.end()
  }

  isDeleted(map: string, key: string): boolean {
    return this.#deleted.has(`${map} ${key}`)
  }

  #memberWrites(): void {
    const { members, random } = this.#world
    const { grid, peerId } = random.pick(members)
    const map = random.pick(MAPS)
    const key = this.#key(random, map)
    const isDelete = random.chance(0.25)
    this.#count += 1
    if (grid === undefined) return
    if (isDelete) this.#deleted.add(`${map} ${key}`)
    const done = isDelete
      ? grid.map(map).delete(key)
      : grid.map(map).set(key, this.#value(map, `${peerId} #${this.#count}`))
    done.catch(() => undefined)
  }

  #guestWrites(): void {
    const { guests, oracle, random } = this.#world
    const { grid, index, peerId, subject } = random.pick(guests)
    const map = random.pick(['todos', 'todos', 'board', 'news'] as const)
    const isOwn = random.chance(0.8)
    const key = isOwn && map === 'todos' ? `${subject}/${random.below(4)}` : this.#key(random, map)
    const isDelete = random.chance(0.2)
    this.#count += 1
    const value = `${random.chance(0.2) ? 'bad ' : ''}${peerId} #${this.#count}`
    if (grid === undefined) return
    // The guest may refuse it itself. What it applies, it applies at once.
    const before = grid.map(map).peek(key)
    const done = isDelete ? grid.map(map).delete(key) : grid.map(map).set(key, this.#value(map, value))
    const after = grid.map(map).peek(key)
    const isApplied = isDelete ? before !== undefined && after === undefined : writtenText(after) === value
    const write = isApplied ? oracle.ledger.wrote(index, map, key, isDelete ? undefined : value) : undefined
    if (isDelete && isApplied) this.#deleted.add(`${map} ${key}`)
    done.then(
      () => {
        if (write !== undefined) write.isStored = true
      },
      () => undefined,
    )
  }

  #value(map: string, text: string): unknown {
    return writtenValue(map, text, this.#count % 10)
  }

  #key(random: Random, map: string): string {
    const number = random.below(4)
    return map === 'todos' ? `${random.pick(['ada', 'ben', 'cy'])}/${number}` : `${random.pick(['a', 'b'])}${number}`
  }
}
