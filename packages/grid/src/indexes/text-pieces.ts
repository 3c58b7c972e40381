/** So much text the engine takes in or out in one step, which lasts a millisecond or two. */
const PIECE_UNITS = 4096
/** How far back a piece ends for the sake of a word. A longer word is cut. */
const WORD_UNITS = 256
const SEPARATOR = /[\s\p{Z}\p{P}]/u

/**
 * Cuts the texts of the fields of an entry into pieces of bounded length, at the ends of words: most entries are one piece. A piece
 * has a text for each field, which may be empty.
 */
export function* piecesOf(texts: readonly string[]): Generator<readonly string[], void, undefined> {
  let piece = texts.map(() => '')
  let room = PIECE_UNITS
  for (const [field, text] of texts.entries()) {
    for (let from = 0; from < text.length;) {
      if (text.length - from > room && room < PIECE_UNITS) {
        yield piece
        piece = texts.map(() => '')
        room = PIECE_UNITS
      }
      const to = endOfPiece(text, from, room)
      piece[field] = text.slice(from, to)
      room -= to - from
      from = to
    }
  }
  if (room < PIECE_UNITS) yield piece
}

function endOfPiece(text: string, from: number, room: number): number {
  const end = from + room
  if (end >= text.length) return text.length
  for (let to = end; to > end - WORD_UNITS; to--) if (SEPARATOR.test(text[to - 1]!)) return to
  // Not between the halves of a character.
  return /[\uDC00-\uDFFF]/.test(text[end]!) ? end - 1 : end
}
