import fc from 'fast-check'
import { expect, it } from 'vitest'
import * as Y from 'yjs'
import type { Grid } from '../../grid.ts'
import { TestGrids, until } from '../../rig/test-grids.ts'

const EAGER = {
  clientsMax: 2,
  weighedMinBytes: Infinity,
  weightMax: 10,
  quietMs: 5,
  checkMs: 5,
  lagMax: Infinity,
  settledAfterMs: 30_000,
}
const WAIT = { timeout: 60_000 }
const PEERS = 3

type Step =
  | { readonly type: 'type' | 'erase' | 'nest'; readonly peer: number; readonly at: number }
  | { readonly type: 'session' | 'rest' | 'close'; readonly peer: number }
  | { readonly type: 'split'; readonly alone: number }

const peer = fc.nat(PEERS - 1)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ type: fc.constant('type' as const), peer, at: fc.nat() }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constantFrom('erase' as const, 'nest' as const), peer, at: fc.nat() }) },
  { weight: 5, arbitrary: fc.record({ type: fc.constant('session' as const), peer }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constantFrom('rest' as const, 'close' as const), peer }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('split' as const), alone: fc.nat(PEERS) }) },
)

/** What was typed, as whole words, and which of them somebody erased. */
interface Model {
  readonly typed: Set<string>
  readonly erased: Set<string>
  count: number
}

type Words = Y.Array<string | Y.Array<string>>

const wordsIn = (y: Y.Doc): Words => y.getArray('words')
const shownIn = (y: Y.Doc): string[] => (wordsIn(y).toJSON() as (string | string[])[]).flat()

function newWord(model: Model): string {
  const word = `w${model.count++}`
  model.typed.add(word)
  return word
}

function erase(words: Words, at: number, model: Model): void {
  const there = words.get(at)
  for (const word of typeof there === 'string' ? [there] : there.toArray()) model.erased.add(word)
  // A list is emptied and stays: text that a user types into it meanwhile must not be lost.
  if (typeof there === 'string') words.delete(at)
  else there.delete(0, there.length)
}

async function session(grid: Grid, type: 'session' | 'rest' | 'close', model: Model): Promise<void> {
  if (type === 'rest') {
    await new Promise((resolve) => setTimeout(resolve, 40))
    return
  }
  // A Y.Doc of its own has a client id of its own.
  const document = await grid.doc('note', type === 'session' ? { doc: new Y.Doc() } : {})
  if (type === 'session') wordsIn(document.y).push([newWord(model)])
  await document.close()
}

async function run(grids: TestGrids, opened: readonly Grid[], model: Model, taken: Step): Promise<void> {
  if (taken.type === 'split') {
    const all = [...opened.keys()]
    if (taken.alone === PEERS) grids.heal()
    else grids.split([taken.alone], [...all.filter((other) => other !== taken.alone)])
    return
  }
  const grid = opened[taken.peer]!
  if (!('at' in taken)) return session(grid, taken.type, model)
  const document = await grid.doc('note')
  const words = wordsIn(document.y)
  const at = taken.at % (words.length + 1)
  const there = at < words.length ? words.get(at) : undefined
  if (taken.type === 'erase') {
    if (there !== undefined) erase(words, at, model)
  } else if (there instanceof Y.Array) there.insert(taken.at % (there.length + 1), [newWord(model)])
  else words.insert(at, [taken.type === 'nest' ? Y.Array.from([newWord(model)]) : newWord(model)])
  if (taken.at % 3 === 0) await document.flush()
}

it.each<[string, number]>([
  ['that are never settled', 30_000],
  ['that are settled soon', 15],
])(
  'whatever is typed and not erased is there once, through splits and generations %s',
  async (_, settledAfterMs) => {
    let begun = 0
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 60, size: 'max' }), async (steps) => {
        const grids = new TestGrids()
        try {
          const opened: Grid[] = []
          for (let i = 0; i < PEERS; i++) {
            const grid = await grids.open()
            grid.documents.limits = { ...EAGER, settledAfterMs }
            opened.push(grid)
          }
          await until(() => opened.every((grid) => grid.members.length === PEERS), 'all have met')
          const model: Model = { typed: new Set(), erased: new Set(), count: 0 }
          for (const each of steps) await run(grids, opened, model, each)
          grids.heal()
          const expected = [...model.typed].filter((word) => !model.erased.has(word)).toSorted()
          for (const grid of opened) {
            await expect.poll(async () => shownIn((await grid.doc('note')).y).toSorted(), WAIT).toEqual(expected)
          }
          await expect
            .poll(async () => {
              const all = await Promise.all(opened.map(async (grid) => shownIn((await grid.doc('note')).y).join()))
              return new Set(all).size
            }, WAIT)
            .toBe(1)
          for (const grid of opened) expect(grid.status().offences).toBe(0)
          begun += opened[0]!.documents.table.startsOf('note').length
        } finally {
          await grids.close()
        }
      }),
      { numRuns: 25, interruptAfterTimeLimit: 6000 },
    )
    expect(begun).toBeGreaterThan(0)
  },
  300_000,
)
