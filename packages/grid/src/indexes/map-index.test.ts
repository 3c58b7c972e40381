import { encodeValue } from '@gossipgrid/core'
import fc from 'fast-check'
import { afterEach, expect, it, vi } from 'vitest'
import { TimeSlices } from '../flow/time-slices.ts'
import { compareSortKeys, sortKeyOf } from '../ordering/value-order.ts'
import type { Content, EntrySource } from './entry-source.ts'
import { MapIndex } from './map-index.ts'

const ENTRIES = 500

/** Entries that change under the index. As in a table, a number can become that of another key. */
class ChangingEntries implements EntrySource {
  readonly #keys: string[] = []
  readonly #values: (Uint8Array | undefined)[] = []
  readonly values = new Map<string, unknown>()
  #observer: (entry: number) => void = () => undefined

  get span(): number {
    return this.#keys.length
  }

  set(entry: number, key: string, value: unknown): void {
    const before = this.#keys[entry]
    if (before !== key) {
      if (this.values.has(key)) return
      if (this.#values[entry] !== undefined) this.set(entry, before!, undefined)
    }
    this.values.delete(key)
    this.#keys[entry] = key
    this.#values[entry] = value === undefined ? undefined : encodeValue({ n: value }, 1000)
    if (value !== undefined) this.values.set(key, value)
    this.#observer(entry)
  }

  /** Takes the key away as well, as when a tombstone is purged. */
  purge(entry: number): void {
    this.set(entry, this.#keys[entry]!, undefined)
    this.#keys[entry] = ''
  }

  key(entry: number): string {
    return this.#keys[entry]!
  }

  find(): undefined {
    return undefined
  }

  read(entry: number, into: Content): boolean {
    const bytes = this.#values[entry]
    if (bytes === undefined) return false
    Object.assign(into, { bytes, start: 0, end: bytes.length })
    return true
  }

  isHidden(): boolean {
    return false
  }

  observe(changed: (entry: number) => void): () => void {
    this.#observer = changed
    return () => undefined
  }

  refresh(): void {
    // Changes are reported at once.
  }
}

afterEach(() => void vi.restoreAllMocks())

/** Every turn is over whenever it is asked. */
function hurry(): void {
  let nowMs = 0
  vi.spyOn(performance, 'now').mockImplementation(() => (nowMs += 10))
}

const value = fc.oneof(
  fc.integer({ min: 0, max: 5 }),
  fc.constantFrom('a', 'b', 'Saint-Denis', undefined),
  fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 4 }),
)
const edit = fc.tuple(fc.nat({ max: ENTRIES + 20 }), fc.nat({ max: 900 }), value, fc.boolean())

it('an index that is built while entries come, go and get the numbers of others is like one that is built in peace', async () => {
  hurry()
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(edit, { maxLength: 8 }), { maxLength: 60 }),
      fc.infiniteStream(value),
      async (turns, values) => {
        const source = new ChangingEntries()
        for (let entry = 0; entry < ENTRIES; entry++) source.set(entry, `key ${entry}`, values.next().value)
        const index = new MapIndex(source, ['n'])
        source.observe((entry) => index.update(entry))
        let turn = 0
        const next = async (): Promise<void> => {
          for (const [entry, key, each, isPurged] of turns[turn] ?? []) {
            if (entry > source.span) continue
            if (isPurged && entry < source.span) source.purge(entry)
            else source.set(entry, `key ${key}`, each)
          }
          turn += 1
        }
        await index.build(new TimeSlices(() => undefined, next))
        expect(turn).toBeGreaterThan(ENTRIES / 64)
        const keys: string[] = []
        const walk = { within: [], backwards: false, once: true }
        index.walk(walk, (entry) => keys.push(source.key(entry)) > 0)
        expect(keys).toEqual(
          [...source.values]
            .toSorted(([oneKey, one], [otherKey, other]) => {
              return compareSortKeys(sortKeyOf(one), sortKeyOf(other)) || (oneKey < otherKey ? -1 : 1)
            })
            .map(([key]) => key),
        )
        const elements = [...source.values.values()].flatMap((each) =>
          Array.isArray(each) ? [...new Set<unknown>(each)] : [],
        )
        expect(index.size).toBe(keys.length + elements.length)
        // And nothing is left of them when they go.
        for (let entry = 0; entry < source.span; entry++) source.purge(entry)
        expect(index.size).toBe(0)
      },
    ),
    { numRuns: 30 },
  )
})
