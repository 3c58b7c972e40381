import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hashText } from './hash.ts'
import { KeyIndex } from './key-index.ts'

/** Adds `keys` as slots 0, 1, 2, …, with the hash that `hashOf` gives. */
function indexOf(keys: readonly string[], hashOf: (key: string) => number): KeyIndex {
  const filed: string[] = []
  const index = new KeyIndex(filed)
  for (const key of keys) {
    filed.push(key)
    index.add(filed.length - 1, hashOf(key))
  }
  return index
}

const honest = (key: string): number => hashText(key, 7)

describe('an index of keys', () => {
  it('finds what was added and nothing else, however the keys hash', () => {
    const keysOf = fc.uniqueArray(fc.string({ maxLength: 8 }), { maxLength: 400 })
    fc.assert(
      fc.property(keysOf, keysOf, fc.integer({ min: 0, max: 32 }), (keys, others, bits) => {
        // The fewer bits of the hash are left, the more keys share it.
        const hashOf = (key: string): number => (bits === 32 ? honest(key) : honest(key) % 2 ** bits)
        const index = indexOf(keys, hashOf)
        keys.forEach((key, slot) => expect(index.find(key, hashOf(key))).toBe(slot))
        for (const other of others) {
          const slot = keys.indexOf(other)
          expect(index.find(other, hashOf(other))).toBe(slot < 0 ? undefined : slot)
        }
      }),
    )
  })

  it('crowds no honest key out among a million', () => {
    const keys = Array.from({ length: 1_000_000 }, (_, i) => `user:${i}`)
    const index = indexOf(keys, honest)
    expect(index.crowdedCount).toBe(0)
    for (let slot = 0; slot < keys.length; slot += 997) expect(index.find(keys[slot]!, honest(keys[slot]!))).toBe(slot)
  })

  it('stays fast when somebody makes up keys that share a hash', () => {
    const keys = Array.from({ length: 200_000 }, (_, i) => `evil ${i}`)
    // Compared one with the other this would be twenty thousand million comparisons.
    const index = indexOf(keys, () => 42)
    expect(index.crowdedCount).toBe(keys.length - 128)
    for (let slot = 0; slot < keys.length; slot++) expect(index.find(keys[slot]!, 42)).toBe(slot)
    expect(index.find('nobody', 42)).toBeUndefined()
  })
})
