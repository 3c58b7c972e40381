import fc from 'fast-check'
import { afterEach, expect, it, vi } from 'vitest'
import type { Grid } from '../grid.ts'
import type { GridMap } from './grid-map.ts'
import type { MapOptions } from './map-options.ts'
import { TestGrids, until } from '../rig/test-grids.ts'

/** What one write gave to one place: the later one wins, everywhere. */
interface Written {
  readonly atMs: number
  readonly value: number | undefined
  readonly expiresAtMs: number
}

type Value = number | Readonly<Record<string, number>>
/** The places of one peer: a key, or a key and a field. */
type Places = Map<string, Written>

/** What the peers must hold, in the plainest of ways. */
interface Model {
  readonly peers: Places[]
  /** Peers that can reach each other. */
  groups: number[][]
}

interface Real {
  readonly grids: Grid[]
  readonly hub: TestGrids
  /** The state that listeners have from all their changes. */
  readonly reported: Map<string, Value>[]
  /** Changes whose previous value was not the one of the last change. */
  readonly wrong: unknown[]
}

/** How a kind of map is to be understood. */
interface Meaning {
  readonly options: MapOptions<Value>
  /** Writes to the places of one peer. */
  write(places: Places, key: string, value: Value | undefined, write: Omit<Written, 'value'>): void
  read(places: Places, key: string): Value | undefined
}

const KEYS = ['a', 'b', 'c']
const FIELDS = ['x', 'y', 'z']
const OBJECT = ''

let hub = new TestGrids()

afterEach(async () => {
  vi.useRealTimers()
  await hub.close()
})

function live(written: Written | undefined): written is Written & { value: number } {
  return written?.value !== undefined && written.expiresAtMs > Date.now()
}

const whole: Meaning = {
  options: {},
  write: (places, key, value, write) => void places.set(key, { ...write, value: value as number | undefined }),
  read: (places, key) => {
    const written = places.get(key)
    return live(written) ? written.value : undefined
  },
}

const fields: Meaning = {
  options: { merge: 'fields' },
  write: (places, key, value, write) => {
    const object = value as Record<string, number> | undefined
    for (const field of [...FIELDS, OBJECT]) {
      const place = `${key} ${field}`
      const written = places.get(place)
      const next = field === OBJECT && object !== undefined ? 1 : object?.[field]
      const current = live(written) ? written : undefined
      // A field is also written if only its expiry changes.
      const same = next === current?.value && (next === undefined || current?.expiresAtMs === write.expiresAtMs)
      if (!same || (field === OBJECT && next !== undefined)) places.set(place, { ...write, value: next })
    }
  },
  read: (places, key) => {
    const stored = [...FIELDS, OBJECT].flatMap((field) => {
      const written = places.get(`${key} ${field}`)
      return live(written) ? [[field, written.value] as const] : []
    })
    return stored.length === 0 ? undefined : Object.fromEntries(stored.filter(([field]) => field !== OBJECT))
  },
}

class Step implements fc.AsyncCommand<Model, Real> {
  readonly #text: string
  readonly #run: (model: Model, real: Real) => Promise<void>

  constructor(text: string, run: (model: Model, real: Real) => Promise<void>) {
    this.#text = text
    this.#run = run
  }

  check(): boolean {
    return true
  }

  run(model: Model, real: Real): Promise<void> {
    return this.#run(model, real)
  }

  toString(): string {
    return this.#text
  }
}

function mapOf(grid: Grid): GridMap<Value> {
  return grid.map<Value>('m')
}

/** Waits until the peers of each group hold the same, and says so in the model. */
async function settle(model: Model, { grids }: Real): Promise<void> {
  const fingerprint = (peer: number): string | undefined =>
    grids[peer]!.status().collections.find(({ name }) => name === 'm')?.fingerprint
  for (const group of model.groups) {
    await until(() => new Set(group.map(fingerprint)).size === 1, `the peers ${group.join()} hold the same`)
    const latest: Places = new Map()
    for (const [place, written] of group.flatMap((peer) => [...model.peers[peer]!])) {
      if (written.atMs >= (latest.get(place)?.atMs ?? 0)) latest.set(place, written)
    }
    for (const peer of group) model.peers[peer] = new Map(latest)
  }
}

/** Every way of reading says what the model says. */
async function compare(meaning: Meaning, model: Model, { grids, reported, wrong }: Real): Promise<void> {
  expect(wrong).toEqual([])
  for (const [peer, grid] of grids.entries()) {
    const map = mapOf(grid)
    const expected = new Map<string, Value>()
    for (const key of KEYS) {
      const value = meaning.read(model.peers[peer]!, key)
      expect(map.peek(key)).toEqual(value)
      expect(await map.has(key)).toBe(value !== undefined)
      if (value !== undefined) expected.set(key, value)
    }
    const entries = new Map<string, Value>()
    for await (const [key, value] of map.entries()) entries.set(key, value)
    expect(entries).toEqual(expected)
    expect(map.size).toBe(expected.size)
    expect(reported[peer]).toEqual(expected)
  }
}

function stepsOf(
  meaning: Meaning,
  peers: number,
  values: fc.Arbitrary<Value>,
): fc.Arbitrary<fc.AsyncCommand<Model, Real>>[] {
  const peer = fc.nat(peers - 1)
  const ttl = fc.option(
    fc.integer({ min: 1, max: 5 }).map((minutes) => minutes * 60_000),
    { nil: undefined },
  )
  const write = (at: number, key: string, value: Value | undefined, ttlMs: number | undefined): Step =>
    new Step(
      `peer ${at}: ${key} = ${JSON.stringify(value)}${ttlMs === undefined ? '' : ` for ${ttlMs} ms`}`,
      async (model, real) => {
        // Every write has a millisecond of its own, so that the order of the writes is the order of their dates.
        vi.setSystemTime(Date.now() + 1)
        const map = mapOf(real.grids[at]!)
        const places = model.peers[at]!
        const dates = { atMs: Date.now(), expiresAtMs: ttlMs === undefined ? Infinity : Date.now() + ttlMs }
        if (value !== undefined) {
          meaning.write(places, key, value, dates)
          await map.set(key, value, ttlMs === undefined ? {} : { ttlMs })
        } else {
          if (meaning.read(places, key) !== undefined) meaning.write(places, key, undefined, dates)
          await map.delete(key)
        }
        await settle(model, real)
      },
    )
  return [
    fc.tuple(peer, fc.constantFrom(...KEYS), values, ttl).map((drawn) => write(...drawn)),
    fc.tuple(peer, fc.constantFrom(...KEYS)).map(([at, key]) => write(at, key, undefined, undefined)),
    fc
      .integer({ min: 1, max: 4 * 60_000 })
      .map((ms) => new Step(`${ms} ms pass`, async () => void vi.setSystemTime(Date.now() + ms))),
    peer.map(
      (away) =>
        new Step(`peer ${away} is cut off`, async (model, real) => {
          model.groups = [[away], real.grids.map((_, i) => i).filter((i) => i !== away)]
          real.hub.split(...model.groups)
        }),
    ),
    fc.constant(
      new Step('all are together', async (model, real) => {
        model.groups = [real.grids.map((_, i) => i)]
        real.hub.heal()
        await settle(model, real)
      }),
    ),
    fc.constant(new Step('compare', (model, real) => compare(meaning, model, real))),
  ]
}

async function start(meaning: Meaning, peers: number): Promise<{ model: Model; real: Real }> {
  vi.useRealTimers()
  await hub.close()
  hub = new TestGrids()
  const grids: Grid[] = []
  const reported: Map<string, Value>[] = []
  const wrong: unknown[] = []
  for (let i = 0; i < peers; i++) {
    const grid = await hub.open()
    const stored = new Map<string, Value>()
    grid.map<Value>('m', meaning.options).on('change', ({ type, key, value, previous }) => {
      if (JSON.stringify(previous) !== JSON.stringify(stored.get(key))) wrong.push([key, previous, stored.get(key)])
      if (type === 'set') stored.set(key, value!)
      else stored.delete(key)
    })
    grids.push(grid)
    reported.push(stored)
  }
  await until(() => grids.every((grid) => grid.members.filter((member) => member.connected).length > 0), 'all have met')
  vi.useFakeTimers({ toFake: ['Date'] })
  const groups = [grids.map((_, i) => i)]
  return {
    model: { peers: grids.map(() => new Map<string, Written>()), groups },
    real: { grids, hub, reported, wrong },
  }
}

async function check(meaning: Meaning, peers: number, values: fc.Arbitrary<Value>): Promise<void> {
  const commands = fc.commands(stepsOf(meaning, peers, values), { maxCommands: 25 })
  await fc.assert(
    fc.asyncProperty(commands, async (steps) => {
      const { model, real } = await start(meaning, peers)
      await fc.asyncModelRun(() => ({ model, real }), steps)
      model.groups = [real.grids.map((_, i) => i)]
      real.hub.heal()
      await settle(model, real)
      await compare(meaning, model, real)
    }),
    { numRuns: 12, interruptAfterTimeLimit: 12_000 },
  )
}

it('a map with expiry holds what a plain model of it holds, over three peers and splits', async () => {
  await check(whole, 3, fc.nat(9))
})

it('a map with fields holds what a plain model of it holds, over two peers and splits', async () => {
  await check(fields, 2, fc.dictionary(fc.constantFrom(...FIELDS), fc.nat(3)))
})
