import { readText } from './bytes.ts'

/**
 * Decodes the plain CBOR that `scanCbor` passes, and nothing else: what the scanner accepts and what is read here are one
 * language. It trusts every length, so bytes that the scanner has not passed may give anything.
 */
export class CborDecoder {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  /** The next item. Nothing in it shares memory with the bytes. */
  item(): unknown {
    const initial = this.#bytes[this.#at++]!
    const additional = initial & 0x1f
    switch (initial >> 5) {
      case 0:
        return additional === 27 ? this.#uint64() : this.#argument(additional)
      case 1:
        return additional === 27 ? -1n - this.#uint64() : -1 - this.#argument(additional)
      case 2:
        return this.#byteString(this.#argument(additional))
      case 3:
        return this.#text(additional)
      case 4:
        return this.#array(this.#argument(additional))
      case 5:
        return this.#map(this.#argument(additional))
      case 6: // the only tag: seconds since 1970
        return new Date(Math.round((this.item() as number) * 1000))
      default:
        return this.#simple(additional)
    }
  }

  /** The number in an item's head: in the initial byte itself, or in the 1, 2 or 4 bytes after it. */
  #argument(additional: number): number {
    if (additional < 24) return additional
    const start = this.#at
    this.#at += 1 << (additional - 24)
    if (additional === 24) return this.#bytes[start]!
    return additional === 25 ? this.#view.getUint16(start) : this.#view.getUint32(start)
  }

  #uint64(): bigint {
    const start = this.#at
    this.#at += 8
    return this.#view.getBigUint64(start)
  }

  #byteString(length: number): Uint8Array {
    const start = this.#at
    this.#at += length
    return new Uint8Array(this.#bytes.subarray(start, this.#at)) // a copy, and no Buffer where the bytes are one
  }

  #text(additional: number): string {
    const length = this.#argument(additional)
    const start = this.#at
    this.#at += length
    return readText(this.#bytes, start, this.#at)
  }

  #array(count: number): unknown[] {
    const items: unknown[] = []
    for (let left = count; left > 0; left--) items.push(this.item())
    return items
  }

  #map(count: number): Record<string, unknown> {
    const fields: Record<string, unknown> = {}
    for (let left = count; left > 0; left--) {
      const key = this.#text(this.#bytes[this.#at++]! & 0x1f)
      fields[key] = this.item()
    }
    return fields
  }

  #simple(additional: number): unknown {
    switch (additional) {
      case 20:
        return false
      case 21:
        return true
      case 22:
        return null
      case 25:
        return this.#float16()
      case 26:
        this.#at += 4
        return this.#view.getFloat32(this.#at - 4)
      case 27:
        this.#at += 8
        return this.#view.getFloat64(this.#at - 8)
      default:
        return undefined
    }
  }

  /** One bit of sign, five of exponent, ten of fraction. */
  #float16(): number {
    this.#at += 2
    const bits = this.#view.getUint16(this.#at - 2)
    const sign = bits >= 0x8000 ? -1 : 1
    const exponent = (bits >> 10) & 0x1f
    const fraction = bits & 0x3ff
    if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN
    if (exponent === 0) return sign * fraction * 2 ** -24
    return sign * (1024 + fraction) * 2 ** (exponent - 25)
  }
}
