/** Between the two parts of a composite key. Neither part may contain it. */
const MARK = '\u0000'

/** A key in two parts, as the rows of sets and of field maps have: what they are about, and the slot or field. */
export function compositeKey(main: string, sub: string): string {
  // A sum of texts would keep its parts: this makes one flat text, which is smaller where thousands are held.
  return [main, sub].join(MARK)
}

/** The parts of a key; `sub` is undefined in one without a mark. */
export function splitKey(key: string): { readonly main: string; readonly sub: string | undefined } {
  const mark = key.indexOf(MARK)
  return mark < 0 ? { main: key, sub: undefined } : { main: key.slice(0, mark), sub: key.slice(mark + 1) }
}

/** The first part alone. */
export function mainOf(key: string): string {
  const mark = key.indexOf(MARK)
  return mark < 0 ? key : key.slice(0, mark)
}

/** Whether `main` is the first part of a key, or all of it. */
export function hasMain(key: string, main: string): boolean {
  return key.startsWith(main) && (key.length === main.length || key[main.length] === MARK)
}
