import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { NAMES, namesOf } from './names.ts'

const seat = (peerId: string, name: string, cameAtMs?: number, loadedAtMs?: number) =>
  [peerId, { name, cameAtMs, loadedAtMs }] as const

describe('the names of the visitors', () => {
  it('of two with one name, the visitor who came first keeps it', () => {
    const names = namesOf([seat('a', 'Otter', 2), seat('b', 'Otter', 1), seat('server', 'server')])
    expect(names).toEqual(new Map([['server', 'server'], ['b', 'Otter'], ['a', 'Heron']])) // prettier-ignore
  })

  it('a visitor never loses a name to one who only gives way', () => {
    const names = namesOf([seat('a', 'Otter', 1), seat('b', 'Otter', 2), seat('c', 'Heron', 3)])
    expect(names.get('c')).toBe('Heron')
    expect(names.get('b')).toBe('Badger')
  })

  it('a page that was loaded again keeps its name, though its former self is still seen', () => {
    expect(namesOf([seat('a', 'Otter', 1, 10), seat('b', 'Otter', 1, 20)]).get('b')).toBe('Otter')
  })

  it('are different, in whatever order the seats come', () => {
    const name = fc.constantFrom('server', 'Otter 2', ...NAMES.slice(0, 4))
    const time = fc.option(fc.nat(3), { nil: undefined })
    const seats = fc.uniqueArray(fc.tuple(fc.string(), name, time, time), { selector: ([id]) => id, maxLength: 20 })
    const shuffled = seats.chain((all) => {
      return fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length, maxLength: all.length }))
    })
    fc.assert(
      fc.property(shuffled, ([all, inOtherOrder]) => {
        const names = namesOf(all.map((each) => seat(...each)))
        expect(names.size).toBe(all.length)
        expect(new Set(names.values()).size).toBe(all.length)
        expect(namesOf(inOtherOrder.map((each) => seat(...each)))).toEqual(names)
      }),
    )
  })
})
