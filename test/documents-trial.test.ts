import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Typists, expectedCharacters } from './documents-trial/typists.ts'

/**
 * Each typist replays another part of the writing of a paper. All type into one document: see `bench/traces/README.md`.
 */
const PATIENCE_MS = 600_000

interface Trial {
  readonly count: number
  /** Edits of each typist in each of four phases: together, split, split in another way, and while the split heals. */
  readonly edits: number
  readonly splits: readonly (readonly number[])[]
}

const TRIALS: readonly Trial[] = [
  { count: 2, edits: 5000, splits: [[0], [1]] },
  {
    count: 5,
    edits: 20_000,
    splits: [
      [0, 1],
      [0, 2, 4],
    ],
  },
]

describe.each(TRIALS)('$count processes that type $edits edits each into one document', ({ count, edits, splits }) => {
  let root = ''
  let typists: Typists

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'gossipgrid-typists-'))
    typists = new Typists()
  })
  afterEach(async () => {
    await typists.abandon()
    await rm(root, { recursive: true, force: true })
  })

  it('end equal after splits, with every character that no typist took out', { timeout: PATIENCE_MS }, async () => {
    for (let seat = 0; seat < count; seat++) await typists.add(join(root, `${seat}`))
    await typists.connected()
    const startMs = performance.now()
    await typists.type(edits / 4)
    for (const side of splits) {
      const typing = typists.type(edits / 4)
      await typists.split(side)
      await typing
      await typists.parted(side)
      expect(new Set((await typists.states()).map(({ stateVector }) => stateVector)).size).toBeGreaterThan(1)
    }
    const typing = typists.type(edits / 4)
    await typists.split([])
    await typing
    const typedMs = performance.now() - startMs
    await typists.equal()
    const equalMs = performance.now() - startMs - typedMs

    const texts = await typists.texts()
    expect(new Set(texts).size).toBe(1)
    const ledgers = await typists.ledgers()
    const expected = expectedCharacters(ledgers)
    expect(await typists.shown()).toEqual(expected)
    expect(texts[0]!.length).toBe(expected.size)
    for (const { markersKept, markersErased } of ledgers) {
      expect(markersKept.filter((marker) => texts[0]!.split(marker).length !== 2)).toEqual([])
      expect(markersErased.filter((marker) => texts[0]!.includes(marker))).toEqual([])
    }
    const markers = ledgers.reduce((sum, { markersKept }) => sum + markersKept.length, 0)
    console.log(
      `${count} processes: ${count * edits} edits typed in ${(typedMs / 1000).toFixed(1)} s, equal ` +
        `${(equalMs / 1000).toFixed(1)} s later; ${expected.size} characters left, of them ${markers} markers`,
    )
    expect(await typists.close()).toEqual(texts.map(() => 0))

    const later = new Typists()
    await later.add(join(root, '0'))
    expect(await later.texts()).toEqual([texts[0]])
    await later.close()
  })
})
