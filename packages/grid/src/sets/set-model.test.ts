import { deepStrictEqual, strictEqual } from 'node:assert'
import fc from 'fast-check'
import { it } from 'vitest'
import type { GridSet } from './grid-set.ts'
import { until } from '../rig/test-grids.ts'
import { SPLITS, SplitInto, checkModel } from '../rig/test-islands.ts'
import type { Islands } from '../rig/test-islands.ts'

const ELEMENTS: readonly unknown[] = ['red', 7, { x: 1, y: ['\u0000'] }]
/** As in the set: so many adds of others are kept beside the own one. */
const ADDS_MAX = 4

/** Of one element, by opening of a peer: how often it was added there, and how many of these adds were removed. */
interface Adds {
  readonly added: number
  readonly removed: number
}

/** What one peer must know: by element, then by opening. */
type Known = Map<string, Adds>[]

interface Model {
  readonly known: Known[]
  /** The opening that each peer is in. */
  readonly openings: string[]
}

class Real {
  readonly islands: Islands
  /** The elements at each peer, as its changes show them; undefined after a change that makes no sense. */
  readonly reported: (Set<string> | undefined)[] = []

  constructor(islands: Islands) {
    this.islands = islands
    for (const peer of islands.peers) this.follow(peer)
  }

  set(peer: number): GridSet<unknown> {
    return this.islands.grid(peer).set('tags')
  }

  follow(peer: number): void {
    const stored = ELEMENTS.filter((element) => this.set(peer).holds(element)).map((element) => JSON.stringify(element))
    this.reported[peer] = new Set(stored)
    this.set(peer).on('change', ({ type, element }) => {
      const reported = this.reported[peer]
      const name = JSON.stringify(element)
      // An element that is there cannot come, and one that is not cannot go.
      if (reported?.has(name) === (type === 'add')) this.reported[peer] = undefined
      else if (type === 'add') reported?.add(name)
      else reported?.delete(name)
    })
  }
}

type Command = fc.AsyncCommand<Model, Real>

/** Openings whose adds of an element stand, as far as a peer knows. */
function standing(adds: ReadonlyMap<string, Adds>): string[] {
  return [...adds].filter(([, { added, removed }]) => added > removed).map(([opening]) => opening)
}

function remove(adds: Map<string, Adds>, openings: readonly string[]): void {
  for (const opening of openings) {
    const { added } = adds.get(opening)!
    adds.set(opening, { added, removed: added })
  }
}

function merge(adds: Map<string, Adds>, others: ReadonlyMap<string, Adds>): void {
  for (const [opening, { added, removed }] of others) {
    const stored = adds.get(opening) ?? { added: 0, removed: 0 }
    adds.set(opening, { added: Math.max(stored.added, added), removed: Math.max(stored.removed, removed) })
  }
}

function expectedAt(model: Model, peer: number): string[] {
  return model.known[peer]!.flatMap((adds, at) => (standing(adds).length > 0 ? [JSON.stringify(ELEMENTS[at])] : []))
}

class Add implements Command {
  readonly peer: number
  readonly at: number

  constructor(peer: number, at: number) {
    this.peer = peer
    this.at = at
  }

  check = (): boolean => true

  async run(model: Model, real: Real): Promise<void> {
    const adding = real.set(this.peer).add(structuredClone(ELEMENTS[this.at]))
    strictEqual(real.set(this.peer).holds(ELEMENTS[this.at]), true)
    await adding
    const adds = model.known[this.peer]![this.at]!
    const own = model.openings[this.peer]!
    const others = standing(adds).filter((opening) => opening !== own)
    if (others.length >= ADDS_MAX) remove(adds, others)
    const { added, removed } = adds.get(own) ?? { added: 0, removed: 0 }
    adds.set(own, { added: added + 1, removed })
  }

  toString = (): string => `peer ${this.peer} adds ${JSON.stringify(ELEMENTS[this.at])}`
}

class Delete implements Command {
  readonly peer: number
  readonly at: number

  constructor(peer: number, at: number) {
    this.peer = peer
    this.at = at
  }

  check = (): boolean => true

  async run(model: Model, real: Real): Promise<void> {
    // What a remove takes away is what its peer has seen: others must not bring more meanwhile.
    await new Settle().run(model, real)
    const adds = model.known[this.peer]![this.at]!
    const receipt = await real.set(this.peer).delete(ELEMENTS[this.at])
    strictEqual(receipt !== undefined, standing(adds).length > 0)
    strictEqual(real.set(this.peer).holds(ELEMENTS[this.at]), false)
    remove(adds, standing(adds))
  }

  toString = (): string => `peer ${this.peer} deletes ${JSON.stringify(ELEMENTS[this.at])}`
}

/** Who can reach each other comes to know the same, and nothing else. */
class Settle implements Command {
  check = (): boolean => true

  async run(model: Model, real: Real): Promise<void> {
    for (const island of real.islands.split) {
      const all: Known = ELEMENTS.map(() => new Map())
      for (const peer of island) for (const [at, adds] of model.known[peer]!.entries()) merge(all[at]!, adds)
      for (const peer of island) model.known[peer] = all.map((adds) => new Map(adds))
      for (const peer of island) await this.#check(expectedAt(model, peer), real, peer)
      // The same elements can stand on different adds.
      const fingerprint = (peer: number): unknown => real.islands.grid(peer).status().collections[0]?.fingerprint
      await until(() => new Set(island.map(fingerprint)).size === 1, `peers ${island.join()} are equal`)
    }
  }

  async #check(expected: string[], real: Real, peer: number): Promise<void> {
    const stored = (): string[] => {
      return ELEMENTS.filter((element) => real.set(peer).holds(element)).map((element) => JSON.stringify(element))
    }
    await until(() => stored().join() === expected.join(), `${expected.join()} at peer ${peer}, not ${stored().join()}`)
    strictEqual(real.set(peer).size, expected.length)
    deepStrictEqual([...(real.reported[peer] ?? ['nonsense'])].sort(), expected.toSorted())
    const listed: string[] = []
    for await (const element of real.set(peer).values()) listed.push(JSON.stringify(element))
    deepStrictEqual(listed.sort(), expected.toSorted())
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
    model.openings[this.peer] += '+'
    real.follow(this.peer)
    await new Settle().run(model, real)
  }

  toString = (): string => `peer ${this.peer} restarts`
}

const peer = fc.nat(2)
const at = fc.nat(ELEMENTS.length - 1)
const commands: fc.Arbitrary<Command>[] = [
  fc.tuple(peer, at).map(([by, which]) => new Add(by, which)),
  fc.tuple(peer, at).map(([by, which]) => new Add(by, which)),
  fc.tuple(peer, at).map(([by, which]) => new Delete(by, which)),
  fc.constantFrom(...SPLITS).map((split) => new SplitInto(new Settle(), split)),
  peer.map((restarting) => new Restart(restarting)),
]

it('a set is what a plain model says, through splits and restarts', async () => {
  await checkModel(commands, new Settle(), (islands) => {
    const model: Model = {
      known: [0, 1, 2].map(() => ELEMENTS.map(() => new Map<string, Adds>())),
      openings: ['a', 'b', 'c'],
    }
    return { model, real: new Real(islands) }
  })
})
