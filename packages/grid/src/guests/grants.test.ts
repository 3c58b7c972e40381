import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkGrants, covers, readingKey } from './grants.ts'
import type { Grant } from './grants.ts'

const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 6 }).filter((each) => each.isWellFormed())
const anyGrant: fc.Arbitrary<Grant> = fc.oneof(
  fc.record({ map: fc.constantFrom('a', 'A', 'b'), may: fc.constantFrom('read', 'write') }),
  fc.record({ map: fc.constantFrom('a', 'A', 'b'), prefix: text, may: fc.constantFrom('read', 'write') }),
)

const bytesOf = (each: string): string => Buffer.from(each, 'utf8').toString('latin1')

describe('grants cover', () => {
  it('what begins with the bytes of a prefix, in a map of exactly that name, and nothing else', () => {
    fc.assert(
      fc.property(fc.array(anyGrant), fc.constantFrom('read', 'write'), text, text, (grants, may, start, rest) => {
        const key = start + rest
        const expected = grants.some((grant) => {
          const allows = may === 'read' || grant.may === 'write'
          return allows && grant.map === 'a' && bytesOf(key).startsWith(bytesOf(grant.prefix ?? ''))
        })
        expect(covers(grants, may, 'a', key)).toBe(expected)
      }),
    )
  })

  it('nothing that only looks the same', () => {
    const grants = checkGrants([
      { map: 'todos', prefix: '{42}:', may: 'write' },
      { map: 'caf\u00e9', may: 'read' },
    ])
    expect(covers(grants, 'write', 'todos', '{42}:a')).toBe(true)
    for (const key of ['{42}', '{42', '{4', '{420}:', '{42};a', ' {42}:a', '\u200b{42}:a'])
      expect(covers(grants, 'write', 'todos', key), key).toBe(false)
    for (const map of ['Todos', 'todo', 'todos ', 'todos\0', ''])
      expect(covers(grants, 'write', map, '{42}:a'), map).toBe(false)
    expect(covers(grants, 'read', 'caf\u00e9', 'x')).toBe(true)
    expect(covers(grants, 'read', 'cafe\u0301', 'x')).toBe(false)
    expect(covers(grants, 'write', 'caf\u00e9', 'x')).toBe(false)
  })

  it('the same keys when their reading is the same', () => {
    fc.assert(
      fc.property(
        fc.array(anyGrant, { maxLength: 4 }),
        fc.array(anyGrant, { maxLength: 4 }),
        text,
        (one, other, key) => {
          if (readingKey(one, 'a') !== readingKey(other, 'a')) return
          if (one.some(({ map }) => map === 'a') !== other.some(({ map }) => map === 'a')) return
          expect(covers(one, 'read', 'a', key)).toBe(covers(other, 'read', 'a', key))
        },
      ),
    )
  })
})

describe('grants are refused', () => {
  it.each([
    [undefined],
    [[]],
    [['todos']],
    [[{ map: 'todos' }]],
    [[{ map: 'todos', may: 'all' }]],
    [[{ map: '', may: 'read' }]],
    [[{ map: 5, may: 'read' }]],
    [[{ map: 'todos', prefix: '', may: 'read' }]],
    [[{ map: 'todos', prefix: '\ud800', may: 'read' }]],
    [[{ map: 'todos', prefix: 'x'.repeat(1025), may: 'read' }]],
    [[{ doc: 'a', may: 'read' }]],
    [[{ map: 'todos', prefx: 'a', may: 'read' }]],
    [Array.from({ length: 65 }, () => ({ map: 'todos', may: 'read' }))],
  ])('%j', (grants) => {
    expect(() => checkGrants(grants)).toThrow(expect.objectContaining({ code: expect.stringMatching(/^INVALID_/) }))
  })
})
