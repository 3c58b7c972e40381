const MAP = 0xa0
const TEXT = 0x60
const HEAD_MAX_BYTES = 5
const encoder = new TextEncoder()

/** The CBOR of an object, made of the CBOR of its fields. Sorted by name, so that equal objects have equal bytes. */
export function objectContent(fields: readonly (readonly [name: string, value: Uint8Array])[]): Uint8Array {
  // A UTF-16 code unit takes at most three bytes of UTF-8.
  const sizeMaxBytes = fields.reduce((sum, [name, value]) => sum + HEAD_MAX_BYTES + name.length * 3 + value.length, 0)
  const content = new Uint8Array(HEAD_MAX_BYTES + sizeMaxBytes)
  let position = writeHead(content, 0, MAP, fields.length)
  for (const [name, value] of fields.toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    position = writeText(content, position, name)
    content.set(value, position)
    position += value.length
  }
  return content.subarray(0, position)
}

function writeText(content: Uint8Array, position: number, text: string): number {
  if (text.length < 24 && isAscii(text)) {
    content[position] = TEXT | text.length
    for (let i = 0; i < text.length; i++) content[position + 1 + i] = text.charCodeAt(i)
    return position + 1 + text.length
  }
  const bytes = encoder.encode(text)
  const start = writeHead(content, position, TEXT, bytes.length)
  content.set(bytes, start)
  return start + bytes.length
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) >= 0x80) return false
  return true
}

/** Writes a major type with its count in the shortest form. Returns the position after it. */
function writeHead(content: Uint8Array, position: number, major: number, count: number): number {
  if (count < 24) {
    content[position] = major | count
    return position + 1
  }
  const size = count < 0x100 ? 1 : count < 0x10000 ? 2 : 4
  content[position] = major | (size === 1 ? 24 : size === 2 ? 25 : 26)
  for (let i = 1; i <= size; i++) content[position + i] = (count >>> (8 * (size - i))) & 0xff
  return position + 1 + size
}
