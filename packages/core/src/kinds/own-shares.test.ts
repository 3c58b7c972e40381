import { describe, expect, it } from 'vitest'
import { OWN_SHARES_MAX_BYTES, OWN_SHARE_KEPT_MS } from '../limits.ts'
import { OwnShares } from './own-shares.ts'

const SLOT = '0123456789abcdef'

function shares(): OwnShares {
  let drawn = 0
  return new OwnShares(SLOT, () => (drawn++).toString(16).padStart(16, 'f'))
}

describe('what a peer has counted itself', () => {
  it('goes on in one slot', () => {
    const own = shares()
    expect([own.of('a', 0), own.known('a', 0)]).toEqual([{ slot: SLOT, share: { up: 0, down: 0 } }, undefined])
    own.counted('a', { slot: SLOT, share: { up: 3, down: 1 } }, 10)
    expect(own.of('a', 20)).toMatchObject({ slot: SLOT, share: { up: 3, down: 1 } })
  })

  it('is forgotten after a day without use, and another slot is taken, which was never used for that key', () => {
    const own = shares()
    own.counted('a', { slot: SLOT, share: { up: 3, down: 1 } }, 0)
    own.counted('b', { slot: SLOT, share: { up: 1, down: 0 } }, OWN_SHARE_KEPT_MS - 1)
    const { slot, share } = own.of('a', OWN_SHARE_KEPT_MS)
    expect([slot, share]).toEqual([`${SLOT}1`, { up: 0, down: 0 }])
    expect(own.of('b', OWN_SHARE_KEPT_MS).slot).toBe(SLOT)
  })

  it('takes bounded memory: what was used longest ago goes on in another slot', () => {
    const own = shares()
    const used = new Map<string, Set<string>>()
    const keys = Array.from({ length: 40_000 }, (_, i) => `key ${i} ${'x'.repeat(50)}`)
    for (let round = 0; round < 2; round++) {
      for (const key of keys) {
        const { slot, share } = own.of(key, round)
        if (share.up === 0) {
          const before = used.get(key) ?? new Set()
          expect(before.has(slot)).toBe(false)
          used.set(key, before.add(slot))
        }
        own.counted(key, { slot, share: { up: share.up + 1, down: 0 } }, round)
      }
    }
    const kept = keys.filter((key) => own.known(key, 2) !== undefined)
    expect(kept.length).toBeLessThan(keys.length)
    expect(kept.length * kept[0]!.length).toBeLessThan(OWN_SHARES_MAX_BYTES)
  })

  it('lets no delete say less than an earlier one at the same slot', () => {
    const own = shares()
    expect(own.deleted('a', { up: 5, down: 0 })).toEqual({ up: 5, down: 0 })
    expect(own.deleted('a', { up: 2, down: 1 })).toEqual({ up: 5, down: 1 })
    const before = own.deleter
    for (let i = 0; own.deleter === before; i++) own.deleted(`row ${i}`, { up: 1, down: 0 })
    expect(own.deleted('a', { up: 2, down: 0 })).toEqual({ up: 2, down: 0 })
    expect(own.deleter).not.toBe(before)
  })
})
