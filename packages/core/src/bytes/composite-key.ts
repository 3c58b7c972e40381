/** Separates the two parts of a composite key. Neither part may contain it. */
export const KEY_SEPARATOR = '\u0000'
/** Separates key and element in the first part of the key of a row of `sets`. The key may not contain it. */
export const ELEMENT_SEPARATOR = '\u0001'

/** A key in two parts, as rows of sets and of maps with fields have: the element and the slot, or the key and the field. */
export function compositeKey(main: string, sub: string): string {
  // `main + sub` would keep both parts in memory. `join` makes one flat string, which matters with thousands of keys.
  return [main, sub].join(KEY_SEPARATOR)
}

/** The parts of a key; `sub` is undefined in a key without a separator. */
export function splitKey(key: string): { readonly main: string; readonly sub: string | undefined } {
  const at = key.indexOf(KEY_SEPARATOR)
  return at < 0 ? { main: key, sub: undefined } : { main: key.slice(0, at), sub: key.slice(at + 1) }
}

/** The first part alone. */
export function mainOf(key: string): string {
  const at = key.indexOf(KEY_SEPARATOR)
  return at < 0 ? key : key.slice(0, at)
}

/** Whether `main` is the first part of a key, or all of it. */
export function hasMain(key: string, main: string): boolean {
  return key.startsWith(main) && (key.length === main.length || key[main.length] === KEY_SEPARATOR)
}
