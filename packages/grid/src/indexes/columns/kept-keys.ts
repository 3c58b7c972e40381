const PIECE = 4096

/** Texts by number, in pieces: an array of a million takes tens of milliseconds when it grows, and longer when it is made at once. */
export class KeptKeys {
  readonly #pieces: string[][] = []

  set(number: number, key: string): void {
    const piece = Math.floor(number / PIECE)
    const texts = (this.#pieces[piece] ??= Array.from<string>({ length: PIECE }).fill(''))
    texts[number % PIECE] = key
  }

  /** The text of a number that has one. */
  get(number: number): string {
    return this.#pieces[Math.floor(number / PIECE)]![number % PIECE]!
  }
}
