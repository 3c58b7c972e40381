/** Larger values are decoded at the first access. For smaller ones, preparing that costs more than decoding. */
const DECODED_AT_ONCE_MAX_BYTES = 256
/** The function with this name prints an object in Node, Deno and Bun. */
const INSPECT: symbol = Symbol.for('nodejs.util.inspect.custom')

/** A change or a message on its way to its readers. */
export interface UnreadChange<Change> {
  /** The key of what has changed in the collection. */
  readonly key: string
  /** Bytes of keys and values that it takes while it waits. */
  readonly sizeBytes: number
  /** The same change, fit to wait for long: it keeps no larger buffer alive. */
  kept(): UnreadChange<Change>
  /** The change as a new plain object for one reader. */
  read(): Change
}

/**
 * Puts a decoded value into a change, as an own property that `JSON.stringify`, spread, `structuredClone` and
 * `console.log` find. A large value is decoded at the first access; until then the property is an accessor.
 */
export function putDecoded<Change extends object>(
  change: Change,
  name: keyof Change & string,
  bytes: Uint8Array,
  decode: (bytes: Uint8Array) => unknown,
): void {
  const put = (value: unknown): boolean =>
    Reflect.defineProperty(change, name, { value, enumerable: true, configurable: true, writable: true })
  if (bytes.length <= DECODED_AT_ONCE_MAX_BYTES) {
    change[name] = decode(bytes) as Change[typeof name]
    return
  }
  let encoded: Uint8Array | undefined = compact(bytes)
  let decoded: unknown
  const get = (): unknown => {
    if (encoded !== undefined) decoded = decode(encoded)
    encoded = undefined
    // Does nothing if the change is frozen: it keeps its accessor.
    put(decoded)
    return decoded
  }
  Object.defineProperty(change, name, { get, set: put, enumerable: true, configurable: true })
  Object.defineProperty(change, INSPECT, { value: () => ({ ...change }), configurable: true })
}

/** The same bytes in a buffer that is at most twice as large. */
export function compact(bytes: Uint8Array): Uint8Array {
  return bytes.length * 2 < bytes.buffer.byteLength ? bytes.slice() : bytes
}
