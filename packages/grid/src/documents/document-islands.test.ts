import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Islands, SPLITS } from '../rig/test-islands.ts'
import type { Split } from '../rig/test-islands.ts'

const NAMES = ['note', 'other'] as const

type Step =
  | { readonly type: 'type' | 'erase' | 'burst'; readonly peer: number; readonly name: number; readonly at: number }
  | { readonly type: 'close'; readonly peer: number; readonly name: number }
  | { readonly type: 'restart'; readonly peer: number }
  | { readonly type: 'split'; readonly split: Split }

const peer = fc.nat(2)
const name = fc.nat(1)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ type: fc.constantFrom('type' as const, 'burst' as const), peer, name, at: fc.nat() }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('erase' as const), peer, name, at: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('close' as const), peer, name }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('restart' as const), peer }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('split' as const), split: fc.constantFrom(...SPLITS) }) },
)

/** What was typed, as whole words, and which of them somebody erased. */
interface Model {
  readonly typed: Set<string>[]
  readonly erased: Set<string>[]
  count: number
}

async function run(islands: Islands, model: Model, taken: Step): Promise<void> {
  if (taken.type === 'split') {
    islands.split = taken.split
    return
  }
  if (taken.type === 'restart') return islands.restart(taken.peer)
  const document = await islands.grid(taken.peer).doc(NAMES[taken.name]!)
  if (taken.type === 'close') return document.close()
  const words = document.y.getArray<string>('words')
  if (taken.type === 'erase') {
    if (words.length === 0) return
    const at = taken.at % words.length
    model.erased[taken.name]!.add(words.get(at))
    words.delete(at)
    return
  }
  for (let left = taken.type === 'burst' ? 40 : 1; left > 0; left--) {
    const word = `w${model.count++}`
    model.typed[taken.name]!.add(word)
    words.insert(taken.at % (words.length + 1), [word])
    if (left % 2 === 0) await document.flush()
  }
}

async function wordsAt(islands: Islands, at: number, which: number): Promise<string[]> {
  return (await islands.grid(at).doc(NAMES[which]!)).y.getArray<string>('words').toArray()
}

it('every word typed and not erased is at all peers in one order, through splits, restarts and closing', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 40, size: 'max' }), async (steps) => {
      const islands = await Islands.open()
      try {
        const model: Model = { typed: [new Set(), new Set()], erased: [new Set(), new Set()], count: 0 }
        for (const each of steps) await run(islands, model, each)
        islands.split = SPLITS[0]!
        for (const which of NAMES.keys()) {
          const expected = [...model.typed[which]!].filter((word) => !model.erased[which]!.has(word)).toSorted()
          for (const at of islands.peers) {
            const stored = async (): Promise<string[]> => (await wordsAt(islands, at, which)).toSorted()
            await expect.poll(stored).toEqual(expected)
            expect(await wordsAt(islands, at, which)).toEqual(await wordsAt(islands, 0, which))
          }
        }
        for (const at of islands.peers) expect(islands.grid(at).status().offences).toBe(0)
      } finally {
        await islands.close()
      }
    }),
    { numRuns: 12, interruptAfterTimeLimit: 8000 },
  )
})
