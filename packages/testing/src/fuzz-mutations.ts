import type { Random } from './random.ts'

/** Bytes with a special meaning in lengths, tags and numbers. */
const TELLING = [
  0x00, 0x01, 0x17, 0x18, 0x1b, 0x3b, 0x40, 0x5f, 0x60, 0x7f, 0x80, 0x9f, 0xa0, 0xbf, 0xc1, 0xc2, 0xd8, 0xf7, 0xfb,
  0xff,
]
/** Byte sequences that no honest message has in these places. */
const PIECES: readonly (readonly number[])[] = [
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f], // the largest varint
  [0xff, 0xff, 0xff, 0xff, 0x0f],
  [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01], // one that does not fit
  [0x9b, 0, 0, 0, 1, 0, 0, 0, 0], // an array of 2^32 items
  [0xba, 0xff, 0xff, 0xff, 0xff], // a map of as many
  [0x5a, 0x7f, 0xff, 0xff, 0xff], // two gigabytes
  [0xc2, 0x58, 0x40], // a bignum
  [0xd9, 0xdf, 0xff], // a record of cbor-x
  [0xd8, 0x1c], // a shared value
  [0xd8, 0x1d, 0x00], // a reference to it
  [0xfb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0], // NaN
  [0xfb, 0x7f, 0xf0, 0, 0, 0, 0, 0, 0], // infinity
  [0x3b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], // the least integer
  [0x69, 0x5f, 0x5f, 0x70, 0x72, 0x6f, 0x74, 0x6f, 0x5f, 0x5f], // "__proto__"
  [0x62, 0xc3, 0x28], // text that is not UTF-8
  Array.from({ length: 200 }, () => 0x81), // depth
]

/** Another message to copy parts from. */
export type Donor = () => Uint8Array

/** A copy of `bytes` with one to four changes, such as a hostile or broken peer might make. */
export function mutate(bytes: Uint8Array, random: Random, donor: Donor): Uint8Array {
  let mutant: Uint8Array = bytes.slice()
  for (let faults = random.mostlySmall(1, 4); faults > 0; faults--) mutant = fault(mutant, random, donor)
  return mutant
}

function fault(bytes: Uint8Array, random: Random, donor: Donor): Uint8Array {
  const at = random.below(bytes.length + 1)
  const length = Math.min(random.mostlySmall(1, 64), bytes.length - at)
  switch (random.below(9)) {
    case 0:
      return changed(bytes, at, (byte) => byte ^ (1 << random.below(8)))
    case 1:
      return changed(bytes, at, () => random.below(256))
    case 2:
      return changed(bytes, at, () => random.pick(TELLING))
    case 3: // a length or a number, off by little
      return changed(bytes, at, (byte) => byte + random.pick([-2, -1, 1, 2]))
    case 4: // cut off
      return bytes.slice(0, at)
    case 5: // cut out
      return spliced(bytes, at, length, [])
    case 6: // doubled, once or many times
      return spliced(bytes, at, 0, repeated(bytes.subarray(at, at + length), random.pick([1, 1, 1, 30])))
    case 7:
      return spliced(bytes, at, random.chance(0.5) ? length : 0, random.pick(PIECES))
    default: {
      const other = donor()
      const from = random.below(other.length)
      return spliced(bytes, at, bytes.length - at, other.subarray(from))
    }
  }
}

function changed(bytes: Uint8Array, at: number, change: (byte: number) => number): Uint8Array {
  if (at < bytes.length) bytes[at] = change(bytes[at]!)
  return bytes
}

function spliced(bytes: Uint8Array, at: number, cut: number, insert: ArrayLike<number>): Uint8Array {
  const result = new Uint8Array(bytes.length - cut + insert.length)
  result.set(bytes.subarray(0, at))
  result.set(insert, at)
  result.set(bytes.subarray(at + cut), at + insert.length)
  return result
}

function repeated(bytes: Uint8Array, times: number): Uint8Array {
  const result = new Uint8Array(bytes.length * times)
  for (let i = 0; i < times; i++) result.set(bytes, i * bytes.length)
  return result
}
