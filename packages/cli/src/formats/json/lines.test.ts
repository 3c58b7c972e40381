import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { byteLines, textLines } from './lines.ts'

const MAX_BYTES = 1000

/** The bytes of a text in chunks of these sizes, again and again. */
async function* chunksOf(text: string | Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text)
  for (let start = 0, i = 0; start < bytes.length; start += sizes[i++ % sizes.length]!) {
    yield bytes.subarray(start, start + sizes[i % sizes.length]!)
  }
}

async function texts(
  text: string | Uint8Array,
  sizes: readonly number[] = [7],
  maxBytes = MAX_BYTES,
): Promise<string[]> {
  const lines: string[] = []
  for await (const line of textLines(chunksOf(text, sizes), maxBytes)) lines.push(line)
  return lines
}

const separators = ['\u2028', '\u2029', '\u0085', '\r', '\v', '\f', '\u001c', '\u001d', '\u001e', '\u0000', '\ufeff']

test('a line ends at a line feed and at nothing else', async () => {
  for (const separator of separators) {
    const line = `one${separator}two`
    expect(await texts(`${line}\n${line}\nlast`), JSON.stringify(separator)).toEqual([line, line, 'last'])
  }
})

test('any text comes back whole, wherever its bytes are cut', async () => {
  const part = fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.constantFrom(...separators, '\r\r', '𝄞', 'é', '\ud83d\ude00'),
  )
  const line = fc.array(part, { maxLength: 6 }).map((parts) => parts.join('').replaceAll('\n', ''))
  const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 })
  await fc.assert(
    fc.asyncProperty(fc.array(line, { maxLength: 5 }), sizes, async (lines, chunkSizes) => {
      const shown = lines
        .map((one, i) => (i === 0 ? one.replace(/^\ufeff/, '') : one))
        .map((one) => one.replace(/\r$/, ''))
      const written = lines.map((one) => `${one}\n`).join('')
      expect(await texts(written, chunkSizes, 100_000)).toEqual(shown)
    }),
    { numRuns: 500 },
  )
})

test('the last line needs no line feed, and after a line feed there is no further line', async () => {
  expect(await texts('a\nb')).toEqual(['a', 'b'])
  expect(await texts('a\nb\n')).toEqual(['a', 'b'])
  expect(await texts('a\n\n\nb\n\n')).toEqual(['a', '', '', 'b', ''])
  expect(await texts('')).toEqual([])
  expect(await texts('\n')).toEqual([''])
  expect(await texts('a\r\nb\r')).toEqual(['a', 'b'])
})

test('a byte order mark is dropped at the start of the stream alone', async () => {
  expect(await texts('\ufeffa\n\ufeffb\n')).toEqual(['a', '\ufeffb'])
  expect(await texts('\ufeff\ufeffa', [1])).toEqual(['\ufeffa'])
})

test('a line of many megabytes in small pieces comes whole', async () => {
  const line = 'é'.repeat(4_000_000)
  const found = await texts(`a\n${line}\nb\n`, [1000, 333], 8_000_000)
  expect(found.map((one) => one.length)).toEqual([1, line.length, 1])
  expect(found[1] === line).toBe(true)
})

test('a line may be as long as the limit; a longer one is passed over without being kept', async () => {
  const lines = [
    'x'.repeat(MAX_BYTES),
    'y'.repeat(MAX_BYTES + 1),
    'z',
    'v'.repeat(5 * MAX_BYTES),
    'é'.repeat(MAX_BYTES / 2),
  ]
  for (const sizes of [[1], [100], [1001], [100_000]]) {
    const lengths: (number | undefined)[] = []
    for await (const line of byteLines(chunksOf(lines.join('\n'), sizes), MAX_BYTES)) lengths.push(line?.length)
    expect(lengths, String(sizes)).toEqual([MAX_BYTES, undefined, 1, undefined, MAX_BYTES])
    await expect(texts(lines.join('\n'), sizes)).rejects.toThrow('line 2 is longer than 1000 bytes')
  }
})

test('a line that is not UTF-8 is refused', async () => {
  await expect(texts(new Uint8Array([0x61, 10, 0xc3, 10]))).rejects.toThrow(TypeError)
  await expect(texts(new Uint8Array([0xff]))).rejects.toThrow(TypeError)
})
