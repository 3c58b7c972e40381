/** Slots that keys hash to, as in Redis Cluster. */
export const KEY_SLOTS = 16384
const KEY_SLOT_BITS = 14

/** What a byte adds to a CRC16-XMODEM (polynomial 0x1021). */
const CRC_OF_BYTE: Uint16Array = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1
  return crc
})

/**
 * The slot of a key, 0 to 16383: that of Redis Cluster, so that its clients find the owners. Keys with the same tag have the
 * same slot; the tag is the text between the first `{` and the next `}`, if there is any between them.
 */
export function keySlot(key: string): number {
  const open = key.indexOf('{')
  if (open >= 0) {
    const close = key.indexOf('}', open + 1)
    if (close > open + 1) return crc16(key, open + 1, close) & (KEY_SLOTS - 1)
  }
  return crc16(key, 0, key.length) & (KEY_SLOTS - 1)
}

/** The partition of a key, from 0, in a collection of `count` partitions. The slots of a partition follow each other. */
export function partitionIndex(key: string, count: number): number {
  // `count` is a power of two from 16 to 4096.
  return keySlot(key) >>> (KEY_SLOT_BITS + Math.clz32(count) - 31)
}

/** CRC16-XMODEM of the UTF-8 bytes of `text[start, end)`, which are made one by one: to encode first takes three times as long. */
function crc16(text: string, start: number, end: number): number {
  let crc = 0
  for (let i = start; i < end; i++) {
    const code = text.charCodeAt(i)
    if (code < 0x80) {
      crc = addByte(crc, code)
      continue
    }
    const point = text.codePointAt(i)!
    if (point < 0x800) crc = addByte(crc, 0xc0 | (point >> 6))
    else {
      if (point < 0x10000) crc = addByte(crc, 0xe0 | (point >> 12))
      else {
        i += 1
        crc = addByte(crc, 0xf0 | (point >> 18))
        crc = addByte(crc, 0x80 | ((point >> 12) & 0x3f))
      }
      crc = addByte(crc, 0x80 | ((point >> 6) & 0x3f))
    }
    crc = addByte(crc, 0x80 | (point & 0x3f))
  }
  return crc
}

function addByte(crc: number, byte: number): number {
  return ((crc << 8) & 0xffff) ^ CRC_OF_BYTE[(crc >> 8) ^ byte]!
}
