import fc from 'fast-check'
import { expect, it } from 'vitest'
import { encodeValue } from '../bytes/cbor.ts'
import { checkDocumentRow } from './document-row.ts'
import { generationKey, generationStart, readGenerationKey, readGenerationStart } from './generation-start.ts'
import type { GenerationStart } from './generation-start.ts'

const NUMBER = 1_000_000
const AUTHOR = '0123456789abcdef'
const some: GenerationStart = {
  from: 7,
  client: 2 ** 34,
  end: 9,
  settled: false,
  covers: [5, 4, 2 ** 34 + 1, 300],
  copied: [5, 0, 4, 2 ** 34 + 1, 295, 5],
}
const [from, client, end, settled, covers, copied] = [0, 1, 2, 3, 4, 5] as const

/** The parts of a row, to be put together wrongly. */
function written(change: (parts: unknown[]) => void): Uint8Array {
  const known = Uint8Array.of(1, 5, 4)
  const ranges = Uint8Array.of(1, 0, 0, 4)
  const parts: unknown[] = [7, 9, 4, true, known, ranges]
  change(parts)
  return encodeValue(parts, 1 << 20)
}

function received(key: string, bytes: Uint8Array | undefined): string {
  try {
    checkDocumentRow(
      { key, bytes, start: 0, end: bytes?.length ?? 0 } as Parameters<typeof checkDocumentRow>[0],
      AUTHOR,
    )
    return 'taken'
  } catch (error) {
    return (error as { code: string }).code
  }
}

it('the start of a generation reads as it was written, whether edits can still be carried over or not', () => {
  for (const start of [some, { ...some, settled: true, copied: undefined }]) {
    expect(readGenerationStart(generationStart(start)!, NUMBER)).toEqual(start)
    expect(received(generationKey('notes', NUMBER), generationStart(start))).toBe('taken')
  }
  expect(readGenerationKey(generationKey('notes', NUMBER))).toBe(NUMBER)
  expect(received(generationKey('notes', NUMBER), undefined)).toBe('taken')
})

it('one that takes more than a row may have is not written', () => {
  const many = Array.from({ length: 100_000 }, (_, i) => [5, i * 2, 1]).flat()
  expect(generationStart({ ...some, covers: [5, 200_000], end: 100_000, copied: many })).toBeUndefined()
})

it.each<[string, (parts: unknown[]) => void]>([
  ['from a later generation', (parts) => (parts[from] = NUMBER)],
  ['from no number', (parts) => (parts[from] = 'x')],
  ['under a client id below zero', (parts) => (parts[client] = -1)],
  ['with another length than it copies', (parts) => (parts[end] = 5)],
  ['that is half settled', (parts) => (parts[settled] = 1)],
  ['with covers that are no bytes', (parts) => (parts[covers] = [1, 5, 4])],
  ['with covers that are cut off', (parts) => (parts[covers] = Uint8Array.of(1, 5))],
  ['with covers that promise too much', (parts) => (parts[covers] = Uint8Array.of(255, 255, 127, 5, 4))],
  ['with a client id that is covered twice', (parts) => (parts[covers] = Uint8Array.of(2, 5, 4, 5, 4))],
  ['with copies of what it does not cover', (parts) => (parts[copied] = Uint8Array.of(1, 0, 1, 4))],
  ['with copies of a client id that there is not', (parts) => (parts[copied] = Uint8Array.of(1, 1, 0, 4))],
  ['with a copy of nothing', (parts) => (parts[copied] = Uint8Array.of(2, 0, 0, 4, 0, 0, 0))],
  ['with more after the copies', (parts) => (parts[copied] = Uint8Array.of(1, 0, 0, 4, 9))],
  ['with more parts', (parts) => parts.push(1)],
  ['with fewer parts', (parts) => parts.splice(4)],
])('a start %s is refused', (_, change) => {
  expect(
    received(
      generationKey('notes', NUMBER),
      written(() => undefined),
    ),
  ).toBe('taken')
  expect(received(generationKey('notes', NUMBER), written(change))).toBe('MESSAGE_MALFORMED')
})

it('random bytes are refused with a code, and never with another error', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.uint8Array({ maxLength: 60 }), fc.nat(100), (a, b, length) => {
      const bytes = encodeValue([1, 2, length, false, a, b], 1 << 20)
      expect(['taken', 'MESSAGE_MALFORMED']).toContain(received(generationKey('notes', NUMBER), bytes))
    }),
    { numRuns: 2000 },
  )
})

it('a key that says the same in other words is no key of a start', () => {
  for (const key of ['notes\u000001.s', 'notes\u00001.t', 'notes', 'notes\u0000.s']) {
    expect(readGenerationKey(key)).toBeUndefined()
  }
})
