import { strictEqual } from 'node:assert'
import fc from 'fast-check'
import { it } from 'vitest'
import type { GridCounter } from './grid-counter.ts'
import { until } from '../rig/test-grids.ts'
import { SPLITS, SplitInto, checkModel } from '../rig/test-islands.ts'
import type { Islands } from '../rig/test-islands.ts'

interface Model {
  /** Everything that was ever counted, by peer, in order. */
  readonly counted: number[][]
  /** By peer: how much of that it must know, again by peer. */
  readonly known: number[][]
}

class Real {
  readonly islands: Islands
  /** The counter at each peer, as its changes tell it. */
  readonly reported: number[] = []

  constructor(islands: Islands) {
    this.islands = islands
    for (const peer of islands.peers) this.follow(peer)
  }

  counter(peer: number): GridCounter {
    return this.islands.grid(peer).counter('visits')
  }

  follow(peer: number): void {
    this.reported[peer] = this.counter(peer).value
    this.counter(peer).on('change', ({ value, delta }) => {
      // An error of a listener would reach no caller.
      this.reported[peer] = value - delta === this.reported[peer] ? value : Number.NaN
    })
  }
}

type Command = fc.AsyncCommand<Model, Real>

function expectedAt({ counted, known }: Model, peer: number): number {
  return counted.flatMap((amounts, by) => amounts.slice(0, known[peer]![by])).reduce((sum, amount) => sum + amount, 0)
}

/** Several increments and decrements in one turn. */
class Count implements Command {
  readonly peer: number
  readonly amounts: readonly number[]

  constructor(peer: number, amounts: readonly number[]) {
    this.peer = peer
    this.amounts = amounts
  }

  check = (): boolean => true

  async run(model: Model, real: Real): Promise<void> {
    const { peer, amounts } = this
    const counter = real.counter(peer)
    const before = counter.value
    const done = amounts.map((amount) => (amount < 0 ? counter.decrement(-amount) : counter.increment(amount)))
    strictEqual(
      counter.value - before,
      amounts.reduce((sum, amount) => sum + amount, 0),
    )
    strictEqual(new Set(done).size, 1)
    await done[0]
    model.counted[peer]!.push(...amounts)
    model.known[peer]![peer] = model.counted[peer]!.length
  }

  toString = (): string => `peer ${this.peer} counts ${this.amounts.join()}`
}

/** Who can reach each other comes to know the same, and nothing else. */
class Settle implements Command {
  check = (): boolean => true

  async run(model: Model, real: Real): Promise<void> {
    for (const island of real.islands.split) {
      const all = model.counted.map((_, by) => Math.max(...island.map((peer) => model.known[peer]![by]!)))
      for (const peer of island) model.known[peer] = [...all]
      for (const peer of island) {
        const expected = expectedAt(model, peer)
        await until(() => real.counter(peer).value === expected, `${expected} at peer ${peer}`)
        await until(() => real.reported[peer] === expected, `peer ${peer} reports ${expected}`)
      }
    }
  }

  toString = (): string => 'settle'
}

class Restart implements Command {
  readonly peer: number

  constructor(peer: number) {
    this.peer = peer
  }

  check = (): boolean => true

  async run(model: Model, real: Real): Promise<void> {
    await real.islands.restart(this.peer)
    // All that the peer acknowledged is there; of what others wrote it may have more than it must.
    strictEqual(typeof real.counter(this.peer).value, 'number')
    real.follow(this.peer)
    await new Settle().run(model, real)
  }

  toString = (): string => `peer ${this.peer} restarts`
}

const peer = fc.nat(2)
const amounts = fc.array(fc.integer({ min: -5, max: 20 }), { minLength: 1, maxLength: 20 })
const commands: fc.Arbitrary<Command>[] = [
  fc.tuple(peer, amounts).map(([by, several]) => new Count(by, several)),
  fc.tuple(peer, amounts).map(([by, several]) => new Count(by, several)),
  fc.constantFrom(...SPLITS).map((split) => new SplitInto(new Settle(), split)),
  fc.constant(new Settle()),
  peer.map((restarting) => new Restart(restarting)),
]

it('a counter is what a plain model says, through splits and restarts', async () => {
  await checkModel(commands, new Settle(), (islands) => {
    const model: Model = { counted: [[], [], []], known: [0, 1, 2].map(() => [0, 0, 0]) }
    return { model, real: new Real(islands) }
  })
})
