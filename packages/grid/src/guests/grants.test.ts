import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  DOCUMENT_ROWS,
  counterName,
  covers,
  coversDoc,
  coversPresence,
  coversTopic,
  mapsOf,
  readingKey,
  setName,
} from './covering.ts'
import { checkGrants } from './grants.ts'
import type { Grant, MapGrant } from './grants.ts'

const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 6 }).filter((each) => each.isWellFormed())
const anyGrant: fc.Arbitrary<MapGrant> = fc.oneof(
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

it('grants of maps, of topics and of presence cover nothing of each other', () => {
  const map = checkGrants([{ map: 'a', may: 'write' }])
  const topic = checkGrants([{ topic: 'a/', may: 'read' }])
  const presence = checkGrants([{ presence: true }])
  expect(covers(topic, 'read', 'a/', 'k')).toBe(false)
  expect(covers(presence, 'read', 'true', 'k')).toBe(false)
  expect(coversTopic(map, 'read', 'a')).toBe(false)
  expect(coversTopic(presence, 'read', 'true')).toBe(false)
  expect([map, topic, presence].map(coversPresence)).toEqual([false, false, true])
  for (const name of ['a', 'A/x', 'b', '/a/', 'a\u2215x']) expect(coversTopic(topic, 'read', name), name).toBe(false)
  for (const name of ['a/', 'a/x']) expect(coversTopic(topic, 'read', name), name).toBe(true)
  expect(coversTopic(topic, 'write', 'a/x')).toBe(false)
})

describe('grants of documents', () => {
  it('cover the names that begin with a text, byte by byte, and no map', () => {
    const grants: readonly Grant[] = [
      { doc: 'boards/42/', may: 'write' },
      { doc: 'news', may: 'read' },
    ]
    expect(coversDoc(grants, 'write', 'boards/42/a')).toBe(true)
    expect(coversDoc(grants, 'read', 'newspaper')).toBe(true)
    for (const name of ['boards/42', 'boards/420/', 'Boards/42/a', 'newspaper'])
      expect(coversDoc(grants, 'write', name), name).toBe(false)
    expect(covers(grants, 'read', 'news', 'a')).toBe(false)
    expect(coversDoc([{ map: 'documents', may: 'write' }], 'read', 'a')).toBe(false)
    expect(() => checkGrants([{ map: DOCUMENT_ROWS, may: 'read' }])).toThrow(
      expect.objectContaining({ code: 'INVALID_NAME' }),
    )
  })
})

it('grants of maps, sets and counters of one name cover nothing of each other, and no name leads from one to another', () => {
  const calls = { map: 'a', set: setName('a'), counter: counterName('a') }
  for (const [what, own] of Object.entries(calls)) {
    const grants = checkGrants([{ [what]: 'a', may: 'write' }])
    for (const map of Object.values(calls)) expect(covers(grants, 'read', map, 'k'), `${what} ${map}`).toBe(map === own)
    expect(mapsOf(grants)).toEqual([own])
    expect(() => checkGrants([{ map: own.padStart(2, '\ue000'), may: 'read' }])).toThrow(expect.anything())
  }
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
    [[{ doc: '', may: 'read' }]],
    [[{ doc: 'a', prefix: 'b', may: 'read' }]],
    [[{ set: 'a', counter: 'a', may: 'read' }]],
    [[{ set: 'a', prefix: 'k\u0001t', may: 'read' }]],
    [[{ counter: 'a', prefix: 'k\u0000', may: 'read' }]],
    [[{ counter: '', may: 'read' }]],
    [[{ topic: '', may: 'read' }]],
    [[{ topic: 'a' }]],
    [[{ topic: 'a', may: 'read', map: 'a' }]],
    [[{ topic: 'a', prefix: 'b', may: 'read' }]],
    [[{ topic: '\u0000a', may: 'read' }]],
    [[{ presence: false }]],
    [[{ presence: true, may: 'write' }]],
    [[{ map: 'todos', prefx: 'a', may: 'read' }]],
    [Array.from({ length: 65 }, () => ({ map: 'todos', may: 'read' }))],
  ])('%j', (grants) => {
    expect(() => checkGrants(grants)).toThrow(expect.objectContaining({ code: expect.stringMatching(/^INVALID_/) }))
  })
})
