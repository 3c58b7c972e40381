/**
 * Keys as bytes, to keep them outside the heap: one byte for each code unit, or two for each if the key is wide. It is not
 * UTF-8, so that a key can be compared with its bytes without decoding them.
 */

/** Whether any code unit of a key needs two bytes. */
export function isWide(key: string): boolean {
  for (let i = 0; i < key.length; i++) if (key.charCodeAt(i) > 0xff) return true
  return false
}

/** Writes the bytes of a key into `target` from `start` on. */
export function writeKey(key: string, wide: boolean, target: Uint8Array, start: number): void {
  for (let i = 0; i < key.length; i++) {
    const unit = key.charCodeAt(i)
    if (wide) {
      target[start + 2 * i] = unit
      target[start + 2 * i + 1] = unit >> 8
    } else target[start + i] = unit
  }
}

/** Whether `bytes[start, start + length)` are those of the key. */
export function equalsKey(bytes: Uint8Array, start: number, length: number, wide: boolean, key: string): boolean {
  if (length !== (wide ? 2 * key.length : key.length)) return false
  for (let i = 0; i < key.length; i++) if (unitAt(bytes, start, i, wide) !== key.charCodeAt(i)) return false
  return true
}

/** The key whose bytes are `bytes[start, start + length)`. */
export function readKey(bytes: Uint8Array, start: number, length: number, wide: boolean): string {
  const units = new Uint16Array(wide ? length / 2 : length)
  for (let i = 0; i < units.length; i++) units[i] = unitAt(bytes, start, i, wide)
  // Spread syntax takes eight times as long.
  return Reflect.apply(String.fromCharCode, undefined, units) as string
}

function unitAt(bytes: Uint8Array, start: number, index: number, wide: boolean): number {
  return wide ? bytes[start + 2 * index]! | (bytes[start + 2 * index + 1]! << 8) : bytes[start + index]!
}
