/** Characters that codecs are known to lose, double or split: one of each kind in Unicode. */
const CHARACTERS: Readonly<Record<string, string>> = {
  'a byte order mark': '\ufeff',
  'two byte order marks': '\ufeff\ufeff',
  NUL: '\u0000',
  'a line feed': '\n',
  'a carriage return': '\r',
  'a quote': '"',
  'a backslash': '\\',
  'the last of ASCII': '\u007f',
  'the first of two bytes': '\u0080',
  'a C1 line break': '\u0085',
  'the last of Latin 1': '\u00ff',
  'the last of two bytes': '\u07ff',
  'the first of three bytes': '\u0800',
  'a line separator': '\u2028',
  'a paragraph separator': '\u2029',
  'a noncharacter': '\ufdd0',
  'a byte order mark the other way round': '\ufffe',
  'the last of three bytes': '\uffff',
  'a replacement character': '\ufffd',
  'the first of four bytes': '\u{10000}',
  'an emoji': '\u{1f600}',
  'the last of all': '\u{10ffff}',
  'a combining mark': '\u0301',
}

/** A text that a codec may damage, and why. */
export interface HardText {
  readonly what: string
  readonly text: string
}

const encoder = new TextEncoder()

/**
 * Texts of every length in bytes of UTF-8, for each hard character: it stands at the start, in the middle and at the
 * end, and the rest is ASCII. Lengths that the character does not fit into are left out.
 */
export function hardTexts(lengthsBytes: readonly number[]): HardText[] {
  const texts: HardText[] = []
  for (const [what, character] of Object.entries(CHARACTERS)) {
    const sizeBytes = encoder.encode(character).length
    for (const lengthBytes of lengthsBytes) {
      const rest = lengthBytes - sizeBytes
      if (rest < 0) continue
      for (const before of new Set([0, rest >> 1, rest])) {
        const text = 'a'.repeat(before) + character + 'z'.repeat(rest - before)
        texts.push({ what: `${what} at ${before} of ${lengthBytes} bytes`, text })
      }
    }
  }
  return texts
}

/** Texts with half of a character (a lone surrogate). UTF-8 cannot express them, so two of them could become one. */
export const HALVES: readonly string[] = [
  '\ud800',
  '\udfff',
  'a\ud83d',
  '\ude00z',
  '\udc00\ud800',
  `${'a'.repeat(70)}\ud800`,
]
