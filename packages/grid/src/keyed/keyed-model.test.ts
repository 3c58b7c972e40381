import { deepStrictEqual, strictEqual } from 'node:assert'
import fc from 'fast-check'
import { it } from 'vitest'
import type { GridCounters } from './grid-counters.ts'
import type { GridSets } from './grid-sets.ts'
import { until } from '../rig/test-grids.ts'
import { SPLITS, SplitInto, checkModel } from '../rig/test-islands.ts'
import type { Islands } from '../rig/test-islands.ts'

const KEYS = ['home', 'about']
const ELEMENTS = ['red', 'blue']

/** What one peer knows: which increments and adds were made, and which of them a delete has seen. */
interface Known {
  readonly made: Set<number>
  readonly gone: Set<number>
}

/** An increment of a counter, or an add of an element. */
interface Made {
  readonly key: string
  readonly amount?: number
  readonly element?: string
}

interface Model {
  readonly made: Made[]
  readonly known: Known[]
}

class Real {
  readonly islands: Islands
  /** The counters and sets at each peer, as their changes tell them. */
  readonly counted: Map<string, number>[] = []
  readonly stored: Set<string>[] = []

  constructor(islands: Islands) {
    this.islands = islands
    for (const peer of islands.peers) this.follow(peer)
  }

  counters(peer: number): GridCounters {
    return this.islands.grid(peer).counters('visits')
  }

  sets(peer: number): GridSets<string> {
    return this.islands.grid(peer).sets('tags')
  }

  follow(peer: number): void {
    const [counters, sets] = [this.counters(peer), this.sets(peer)]
    const counted = new Map(
      KEYS.flatMap((key) => (counters.peek(key) === undefined ? [] : [[key, counters.peek(key)!]])),
    )
    const stored = new Set(KEYS.flatMap((key) => (sets.peek(key) ?? []).map((element) => `${key} ${element}`)))
    this.counted[peer] = counted
    this.stored[peer] = stored
    counters.on('change', ({ type, key, value, delta }) => {
      const isRight = (value ?? 0) - delta === (counted.get(key) ?? 0)
      if (type === 'delete') counted.delete(key)
      else counted.set(key, isRight ? value! : Number.NaN)
    })
    sets.on('change', ({ type, key, element }) => {
      const name = `${key} ${element}`
      // An element that is there cannot come, and one that is not cannot go.
      if (stored.has(name) === (type === 'add')) stored.add('nonsense')
      else if (type === 'add') stored.add(name)
      else stored.delete(name)
    })
  }
}

type Command = fc.AsyncCommand<Model, Real>

function standing(model: Model, peer: number, isWanted: (made: Made) => boolean): number[] {
  const { made, gone } = model.known[peer]!
  return [...made].filter((each) => !gone.has(each) && isWanted(model.made[each]!))
}

/** Counters and sets as a peer is to show them. */
function expectedAt(model: Model, peer: number): unknown[] {
  const counters = KEYS.flatMap((key) => {
    const left = standing(model, peer, (made) => made.key === key && made.amount !== undefined)
    return left.length === 0 ? [] : [[key, left.reduce((sum, each) => sum + model.made[each]!.amount!, 0)]]
  })
  const sets = KEYS.flatMap((key) =>
    ELEMENTS.filter(
      (element) => standing(model, peer, (made) => made.key === key && made.element === element).length > 0,
    ).map((element) => `${key} ${element}`),
  )
  return [counters, sets]
}

class Count implements Command {
  readonly peer: number
  readonly key: string
  readonly amounts: readonly number[]

  constructor(peer: number, key: string, amounts: readonly number[]) {
    this.peer = peer
    this.key = key
    this.amounts = amounts
  }

  check = (): boolean => true

  async run(model: Model, real: Real): Promise<void> {
    const { peer, key, amounts } = this
    const counters = real.counters(peer)
    const before = counters.peek(key) ?? 0
    const done = amounts.map((amount) =>
      amount < 0 ? counters.decrement(key, -amount) : counters.increment(key, amount),
    )
    strictEqual(
      counters.peek(key)! - before,
      amounts.reduce((sum, amount) => sum + amount, 0),
    )
    await Promise.all(done)
    for (const amount of amounts) model.known[peer]!.made.add(model.made.push({ key, amount }) - 1)
  }

  toString = (): string => `peer ${this.peer} counts ${this.amounts.join()} under ${this.key}`
}

class Add implements Command {
  readonly peer: number
  readonly key: string
  readonly element: string

  constructor(peer: number, key: string, element: string) {
    this.peer = peer
    this.key = key
    this.element = element
  }

  check = (): boolean => true

  async run(model: Model, real: Real): Promise<void> {
    const { peer, key, element } = this
    await real.sets(peer).add(key, element)
    model.known[peer]!.made.add(model.made.push({ key, element }) - 1)
  }

  toString = (): string => `peer ${this.peer} adds ${this.element} under ${this.key}`
}

/** Deletes a counter or a set, or removes one element. */
class Delete implements Command {
  readonly peer: number
  readonly key: string
  readonly what: 'counter' | 'set' | 'element'

  constructor(peer: number, key: string, what: 'counter' | 'set' | 'element') {
    this.peer = peer
    this.key = key
    this.what = what
  }

  check = (): boolean => true

  async run(model: Model, real: Real): Promise<void> {
    const { peer, key, what } = this
    // What a delete takes away is what its peer has seen: others must not bring more meanwhile.
    await new Settle().run(model, real)
    const isMeant = (made: Made): boolean =>
      made.key === key &&
      (what === 'counter'
        ? made.amount !== undefined
        : what === 'set'
          ? made.element !== undefined
          : made.element === 'red')
    const gone = standing(model, peer, isMeant)
    const [counters, sets] = [real.counters(peer), real.sets(peer)]
    const deleting =
      what === 'counter' ? counters.delete(key) : what === 'set' ? sets.delete(key) : sets.remove(key, 'red')
    strictEqual((await deleting) !== undefined, gone.length > 0)
    for (const each of gone) model.known[peer]!.gone.add(each)
  }

  toString = (): string => `peer ${this.peer} deletes the ${this.what} under ${this.key}`
}

/** Who can reach each other comes to know the same, and nothing else. */
class Settle implements Command {
  check = (): boolean => true

  async run(model: Model, real: Real): Promise<void> {
    for (const island of real.islands.split) {
      const together = (of: 'made' | 'gone'): number[] => island.flatMap((peer) => [...model.known[peer]![of]])
      const [made, gone] = [together('made'), together('gone')]
      for (const peer of island) model.known[peer] = { made: new Set(made), gone: new Set(gone) }
      for (const peer of island) await this.#check(expectedAt(model, peer), real, peer)
      const fingerprints = (peer: number): string =>
        JSON.stringify(
          real.islands
            .grid(peer)
            .status()
            .collections.map(({ name, fingerprint }) => `${name} ${fingerprint}`)
            .toSorted(),
        )
      await until(() => new Set(island.map(fingerprints)).size === 1, `peers ${island.join()} are equal`)
    }
  }

  async #check(expected: unknown[], real: Real, peer: number): Promise<void> {
    const [counters, sets] = [real.counters(peer), real.sets(peer)]
    const shown = (): unknown[] => [
      KEYS.flatMap((key) => (counters.peek(key) === undefined ? [] : [[key, counters.peek(key)]])),
      KEYS.flatMap((key) =>
        ELEMENTS.filter((element) => sets.holds(key, element)).map((element) => `${key} ${element}`),
      ),
    ]
    const wanted = JSON.stringify(expected)
    await until(() => JSON.stringify(shown()) === wanted, `${wanted} at peer ${peer}, not ${JSON.stringify(shown())}`)
    const reported = [
      KEYS.flatMap((key) => (real.counted[peer]!.has(key) ? [[key, real.counted[peer]!.get(key)]] : [])),
    ]
    deepStrictEqual(reported[0], expected[0])
    deepStrictEqual([...real.stored[peer]!].toSorted(), (expected[1] as string[]).toSorted())
    const listed: string[] = []
    for await (const [key, elements] of sets.entries()) listed.push(...elements.map((element) => `${key} ${element}`))
    deepStrictEqual(listed.toSorted(), (expected[1] as string[]).toSorted())
    strictEqual(counters.size, (expected[0] as unknown[]).length)
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
    await new Settle().run(model, real)
    await real.islands.restart(this.peer)
    real.follow(this.peer)
    await new Settle().run(model, real)
  }

  toString = (): string => `peer ${this.peer} restarts`
}

const peer = fc.nat(2)
const key = fc.constantFrom(...KEYS)
const amounts = fc.array(fc.integer({ min: -5, max: 20 }), { minLength: 1, maxLength: 5 })
const commands: fc.Arbitrary<Command>[] = [
  fc.tuple(peer, key, amounts).map((count) => new Count(...count)),
  fc.tuple(peer, key, amounts).map((count) => new Count(...count)),
  fc.tuple(peer, key, fc.constantFrom(...ELEMENTS)).map((add) => new Add(...add)),
  fc
    .tuple(peer, key, fc.constantFrom('counter' as const, 'set' as const, 'element' as const))
    .map((each) => new Delete(...each)),
  fc.constantFrom(...SPLITS).map((split) => new SplitInto(new Settle(), split)),
  peer.map((restarting) => new Restart(restarting)),
]

it('counters and sets under keys are what a plain model says, through splits and restarts', async () => {
  await checkModel(commands, new Settle(), (islands) => {
    const known = [0, 1, 2].map(() => ({ made: new Set<number>(), gone: new Set<number>() }))
    const model: Model = { made: [], known }
    return { model, real: new Real(islands) }
  })
})
