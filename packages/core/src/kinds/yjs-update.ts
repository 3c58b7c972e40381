import { ByteReader, readText } from '../bytes/bytes.ts'
import { cborDepthMax, scanText } from '../bytes/cbor-scanner.ts'
import { GridError } from '../errors.ts'

/** The first byte of a struct: its content, and which of the optional parts follow. */
const CONTENT_MASK = 0x1f
const HAS_ORIGIN = 0x80
const HAS_RIGHT_ORIGIN = 0x40
const HAS_PARENT_SUB = 0x20
const GC = 0
const DELETED = 1
const JSON_TEXTS = 2
const BINARY = 3
const STRING = 4
const EMBED = 5
const FORMAT = 6
const TYPE = 7
const ANY = 8
const SUBDOCUMENT = 9
/** Shared types: array, map, text, XML element, XML fragment, XML hook, XML text. */
const TYPE_REF_MAX = 6
const NAMED_TYPE_REFS: readonly number[] = [3, 5]

/** What must be known of a Yjs update (format V1) of one author before it is given to Yjs. */
export interface YjsUpdate {
  readonly bytes: Uint8Array
  /** The clocks of its structs: `[from, to)` of the author's client id. Equal if it only deletes. */
  from: number
  to: number
  /** Three numbers for each struct: its clock, and where its bytes start and end. */
  readonly structs: number[]
  /** Three numbers for each reference to a struct of another client: index of the referring struct, client, clock. */
  readonly needs: number[]
  /** Three numbers for each deleted range: client, clock, length. Ascending for each client. */
  readonly deletes: number[]
}

/**
 * Throws `MESSAGE_MALFORMED` unless `[start, end)` of `bytes` is one whole V1 update. All structs must be of `client`, with
 * contiguous clocks; none may refer to a later one of the same client or be a subdocument; and deletes must ascend. Takes
 * linear time and allocates nothing. Yjs itself would trust every count in an update, accept structs in the name of other
 * clients, and keep updates with gaps for ever.
 */
export function checkYjsUpdate(bytes: Uint8Array, start: number, end: number, client: number): void {
  new UpdateWalk(bytes, start, end, client, undefined).walk()
}

/** As `checkYjsUpdate`, and returns what it found. */
export function readYjsUpdate(bytes: Uint8Array, start: number, end: number, client: number): YjsUpdate {
  const update: YjsUpdate = { bytes, from: 0, to: 0, structs: [], needs: [], deletes: [] }
  new UpdateWalk(bytes, start, end, client, update).walk()
  return update
}

class UpdateWalk {
  readonly #reader: ByteReader
  readonly #client: number
  readonly #found: YjsUpdate | undefined
  #index = 0
  #clock = 0

  constructor(bytes: Uint8Array, start: number, end: number, client: number, found: YjsUpdate | undefined) {
    this.#reader = new ByteReader(bytes, start, end)
    this.#client = client
    this.#found = found
  }

  walk(): void {
    const reader = this.#reader
    const clients = reader.varint()
    if (clients > 1) throw malformed('structs of several clients')
    if (clients === 1) this.#structs()
    this.#deletes()
    if (reader.remaining > 0) throw malformed('trailing bytes')
  }

  #structs(): void {
    const reader = this.#reader
    const count = reader.count(2)
    if (count === 0) throw malformed('a client without structs')
    if (reader.varint() !== this.#client) throw malformed('structs of a client id that its writer does not own')
    this.#clock = reader.varint()
    if (this.#found !== undefined) this.#found.from = this.#clock
    for (; this.#index < count; this.#index++) {
      const start = reader.position
      const length = this.#struct()
      if (length < 1) throw malformed('an empty struct')
      this.#found?.structs.push(this.#clock, start, reader.position)
      this.#clock += length
      if (this.#clock > Number.MAX_SAFE_INTEGER) throw malformed('a clock out of range')
    }
    if (this.#found !== undefined) this.#found.to = this.#clock
  }

  /** Returns how many clocks the struct takes. */
  #struct(): number {
    const reader = this.#reader
    const head = reader.byte()
    const content = head & CONTENT_MASK
    if (content === GC) return reader.varint()
    const tied = (head & (HAS_ORIGIN | HAS_RIGHT_ORIGIN)) !== 0
    if ((head & HAS_ORIGIN) !== 0) this.#id()
    if ((head & HAS_RIGHT_ORIGIN) !== 0) this.#id()
    if (!tied) {
      const root = reader.varint()
      if (root > 1) throw malformed('a parent that is neither a root nor an item')
      if (root === 1) this.#text()
      else this.#id()
      if ((head & HAS_PARENT_SUB) !== 0) this.#text()
    }
    return this.#content(content)
  }

  #id(): void {
    const client = this.#reader.varint()
    const clock = this.#reader.varint()
    if (client !== this.#client) this.#found?.needs.push(this.#index, client, clock)
    else if (clock >= this.#clock) throw malformed('a struct that is tied to a later one')
  }

  #content(content: number): number {
    const reader = this.#reader
    switch (content) {
      case DELETED:
        return reader.varint()
      case JSON_TEXTS: {
        const count = reader.count(1)
        for (let left = count; left > 0; left--) this.#json(true)
        return count
      }
      case BINARY:
        reader.skip(reader.varint())
        return 1
      case STRING:
        return this.#text()
      case EMBED:
        this.#json(false)
        return 1
      case FORMAT:
        this.#text()
        this.#json(false)
        return 1
      case TYPE: {
        const ref = reader.varint()
        if (ref > TYPE_REF_MAX) throw malformed(`shared type ${ref}`)
        if (NAMED_TYPE_REFS.includes(ref)) this.#text()
        return 1
      }
      case ANY: {
        const count = reader.count(1)
        for (let left = count; left > 0; left--) this.#any(0)
        return count
      }
      case SUBDOCUMENT:
        throw malformed('a subdocument')
      default:
        throw malformed(`content ${content}`)
    }
  }

  /** Returns the length in UTF-16 code units, which is what Yjs counts. */
  #text(): number {
    const { bytes } = this.#reader
    const start = this.#skipText()
    const end = this.#reader.position
    let units = end - start
    for (let i = start; i < end; i++) {
      const byte = bytes[i]!
      if (byte < 0x80) continue
      if ((byte & 0xc0) === 0x80) units -= 1
      else if (byte >= 0xf0) units += 1
    }
    return units
  }

  /** Skips a text and returns where its bytes start. */
  #skipText(): number {
    const length = this.#reader.varint()
    const start = this.#reader.skip(length)
    scanText(this.#reader.bytes, start, start + length)
    return start
  }

  #json(orUndefined: boolean): void {
    const start = this.#skipText()
    const text = readText(this.#reader.bytes, start, this.#reader.position)
    if (orUndefined && text === 'undefined') return
    if (depthOf(text) > cborDepthMax) throw malformed('JSON that is nested too deep')
    try {
      JSON.parse(text)
    } catch {
      throw malformed('a text that is no JSON')
    }
  }

  /** A plain value in the encoding of lib0. */
  #any(depth: number): void {
    const reader = this.#reader
    if (depth > cborDepthMax) throw malformed('a value that is nested too deep')
    const type = reader.byte()
    switch (type) {
      case 127: // undefined
      case 126: // null
      case 121: // false
      case 120: // true
        return
      case 125:
        return this.#integer()
      case 124:
        reader.skip(4)
        return
      case 123: // a float
      case 122: // a bigint
        reader.skip(8)
        return
      case 119:
        this.#text()
        return
      case 118: {
        for (let left = reader.count(2); left > 0; left--) {
          this.#key()
          this.#any(depth + 1)
        }
        return
      }
      case 117: {
        for (let left = reader.count(1); left > 0; left--) this.#any(depth + 1)
        return
      }
      case 116:
        reader.skip(reader.varint())
        return
      default:
        throw malformed(`a value of type ${type}`)
    }
  }

  #key(): void {
    const start = this.#skipText()
    const { bytes, position } = this.#reader
    if (position - start === 9 && readText(bytes, start, position) === '__proto__') throw malformed('the key __proto__')
  }

  /** A signed varint of lib0: six bits and a sign in the first byte, then seven in each. Refuses numbers at which lib0 throws. */
  #integer(): void {
    const reader = this.#reader
    let byte = reader.byte()
    let magnitude = byte & 63
    for (let scale = 64; byte > 127; scale *= 128) {
      if (magnitude > Number.MAX_SAFE_INTEGER || scale > 2 ** 55) throw malformed('an integer that does not fit')
      byte = reader.byte()
      magnitude += (byte & 127) * scale
    }
  }

  #deletes(): void {
    const reader = this.#reader
    let clients = reader.count(2)
    const seen = clients > 1 ? new Set<number>() : undefined
    for (; clients > 0; clients--) {
      const client = reader.varint()
      if (seen?.size === seen?.add(client).size && seen !== undefined) throw malformed('deletes of a client twice')
      let least = 0
      const ranges = reader.count(2)
      for (let left = ranges; left > 0; left--) {
        const clock = reader.varint()
        const length = reader.varint()
        if (clock < least || length < 1) throw malformed('deletes that do not ascend')
        least = clock + length
        if (least > Number.MAX_SAFE_INTEGER) throw malformed('a clock out of range')
        this.#found?.deletes.push(client, clock, length)
      }
    }
  }
}

/** How deep arrays and objects are nested. JSON of great depth is refused, because some engines parse it recursively. */
function depthOf(json: string): number {
  let depth = 0
  let deepest = 0
  let quoted = false
  for (let i = 0; i < json.length; i++) {
    const code = json.charCodeAt(i)
    if (quoted) {
      if (code === 0x5c) i++
      else if (code === 0x22) quoted = false
    } else if (code === 0x22) quoted = true
    else if (code === 0x5b || code === 0x7b) deepest = Math.max(deepest, ++depth)
    else if (code === 0x5d || code === 0x7d) depth--
  }
  return deepest
}

function malformed(what: string): GridError {
  return new GridError('MESSAGE_MALFORMED', `malformed document update: ${what}`)
}
