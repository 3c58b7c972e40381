/** A larger value is decoded when a reader looks at it; for a smaller one, arranging that costs more than decoding. */
const DECODED_AT_ONCE_MAX_BYTES = 256
/** Names the function by which Node, Deno and Bun print an object. */
const INSPECT: symbol = Symbol.for('nodejs.util.inspect.custom')

/** A change or a message on its way to its readers. */
export interface UnreadChange<Change> {
  /** What it is about, among the changes of one collection. */
  readonly key: string
  /** What it keeps while it waits: bytes of keys and values. */
  readonly sizeBytes: number
  /** The same, fit to wait for long: it keeps no larger buffer alive. */
  kept(): UnreadChange<Change>
  /** The change as a plain object. Each reader gets one of its own. */
  read(): Change
}

/**
 * Puts a decoded value into a change, as an own property that `JSON.stringify`, spread, `structuredClone` and
 * `console.log` find. A large value is decoded at the first look, whoever looks: until then it is an accessor.
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
    // A frozen change keeps its accessor.
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
