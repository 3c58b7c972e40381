import type { Grid } from '../../../packages/grid/src/grid.ts'
import { counterName, setName } from '../../../packages/grid/src/guests/covering.ts'
import { mainOf } from '../../../packages/grid/src/keyed/key-elements.ts'
import type { Random } from '../../../packages/testing/src/random.ts'
import type { GuestWorld } from './guest-workload.ts'
import { Rounds } from './rounds.ts'

const SUBJECTS = ['ada', 'ben', 'cy']

/** Members and guests count, and add and remove elements. Members refuse to count by 9 and more, and to add what is bad. */
export class GuestSlotWorkload {
  readonly #world: GuestWorld
  readonly #rounds: Rounds
  #count = 0

  constructor(world: GuestWorld) {
    this.#world = world
    this.#rounds = new Rounds(world)
  }

  start(): void {
    this.#rounds.begin(() => this.#write(this.#world.random.pick(this.#world.members), 0.3), 500)
    this.#rounds.begin(() => this.#write(this.#world.random.pick(this.#world.guests), 0.7), 200)
  }

  end(): void {
    this.#rounds.end()
  }

  /** `counting`: how often it counts, and does not delete. */
  #write({ grid, ...peer }: { readonly grid: Grid | undefined; readonly subject?: string }, counting: number): void {
    const { random } = this.#world
    const act = random.pick(['visits', 'votes', 'tags', 'labels'] as const)
    const key = `${random.chance(0.8) ? (peer.subject ?? random.pick(SUBJECTS)) : random.pick(SUBJECTS)}/${random.below(2)}`
    const by = random.between(1, 10)
    const isMore = random.chance(Math.max(counting, 0.6))
    const element = this.#element(random, isMore)
    if (grid === undefined) return
    const settle = (done: Promise<unknown>): void => void done.catch(() => undefined)
    try {
      if (act === 'visits') settle(isMore ? grid.counter(act).increment(by) : grid.counter(act).decrement(by))
      else if (act === 'votes') this.#vote(grid, key, by, isMore, settle)
      else this.#tag(grid, act, key, element, isMore, peer.subject === undefined, settle)
    } catch {
      // The guest may not have it.
    }
  }

  #vote(grid: Grid, key: string, by: number, isMore: boolean, settle: (done: Promise<unknown>) => void): void {
    if (isMore) return settle(grid.counters('votes').increment(key, by))
    this.#world.oracle.slots.deletes(counterName('votes'), key)
    settle(grid.counters('votes').delete(key))
  }

  #tag(
    grid: Grid,
    act: 'tags' | 'labels',
    key: string,
    element: string,
    isMore: boolean,
    isMember: boolean,
    settle: (done: Promise<unknown>) => void,
  ): void {
    const text = `t${element}`
    const main = act === 'tags' ? text : mainOf(key, text)
    const { slots } = this.#world.oracle
    if (!isMore) slots.deletes(setName(act), main)
    if (!isMore) return settle(act === 'tags' ? grid.set(act).delete(element) : grid.sets(act).remove(key, element))
    const added = act === 'tags' ? grid.set(act).add(element) : grid.sets(act).add(key, element)
    settle(isMember ? added.then(() => slots.memberAdded(setName(act), main)) : added)
  }

  /** One that was added before, or another one. */
  #element(random: Random, isAdd: boolean): string {
    this.#count += 1
    const number = isAdd && random.chance(0.5) ? this.#count : random.below(this.#count)
    return `${number % 7 === 0 ? 'bad ' : ''}e${number % 40}`
  }
}
