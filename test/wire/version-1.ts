/**
 * What peers of version 1.0 can read, written down once more and without any code of today, so that no change of today's
 * code changes it. It is as strict as they are, and it is never edited: what it refuses, they refuse.
 */

/** A message as version 1.0 reads it. */
export interface Message1 {
  readonly type: string
  readonly header: Readonly<Record<string, unknown>>
  /** Of the types that carry a block. */
  readonly records: readonly Record1[]
}

export type Record1 =
  | {
      readonly type: 'rows'
      readonly collection: string
      readonly kind: number
      readonly replicaId: string
      readonly rows: readonly Row1[]
    }
  | {
      readonly type: 'voids'
      readonly collection: string
      readonly kind: number
      readonly replicaId: string
      /** Flat pairs [first, last, …]. */
      readonly ranges: readonly number[]
    }

export interface Row1 {
  readonly key: string
  readonly sequence: number
  readonly hlc: number
  /** Undefined in a tombstone. */
  readonly value: Uint8Array | undefined
}

const HEADER_KEYS_MAX = 16
const MESSAGE_MAX_BYTES = 4 * 1024 * 1024
const COLLECTIONS_MAX = 4096

type Check = (value: unknown) => boolean
const flag: Check = (value) => typeof value === 'boolean'
const count: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0
const hash: Check = (value) => typeof value === 'string' && /^[0-9a-f]{16}$/.test(value)
const bytes: Check = (value) => value instanceof Uint8Array
const amount: Check = (value) => Number.isFinite(value) && (value as number) >= 0
const text = (lengthMax: number): Check => {
  return (value) => typeof value === 'string' && value.length <= lengthMax
}
const shaped = (shape: Readonly<Record<string, Check>>): Check => {
  return (value) => {
    const plain = typeof value === 'object' && value !== null && !Array.isArray(value) && !bytes(value)
    return plain && Object.entries(shape).every(([name, check]) => check((value as Record<string, unknown>)[name]))
  }
}
const list = (countMax: number, check: Check): Check => {
  return (value) => Array.isArray(value) && value.length <= countMax && value.every(check)
}

const member = shaped({
  peerId: text(128),
  incarnation: (value) => count(value) && (value as number) <= 2 ** 46,
  revision: count,
  role: text(16),
  weight: amount,
  zone: text(64),
  addresses: list(16, text(256)),
  software: text(64),
  replicaId: hash,
  left: flag,
})
const part = shaped({ collection: text(128), kind: count, partition: count, fingerprint: hash, vector: bytes })
const parts = list(COLLECTIONS_MAX, part)

/** Fields that may not be missing; others may be there, and are passed over. */
const HEADERS: Readonly<Record<string, Check>> = {
  frame: shaped({}),
  announce: (value) => {
    const withParts = (value as Record<string, unknown>)['parts'] !== undefined
    return shaped({ member, root: hash, bulk: flag, ...(withParts ? { parts } : {}) })(value)
  },
  hello: shaped({ members: list(1001, member) }),
  goodbye: shaped({ left: flag }),
  digest: shaped({ session: count, root: hash }),
  equal: shaped({ session: count }),
  vectors: shaped({ session: count, ask: flag, parts }),
  chunk: shaped({ session: count, index: count, last: flag }),
  'chunk-ack': shaped({ session: count, index: count }),
  stop: shaped({ session: count, reason: text(200) }),
  confirm: shaped({ request: count, collection: text(128), partition: count, replicaId: hash, sequence: count }),
  confirmed: shaped({ request: count }),
}

/** Reads a message; throws where version 1.0 would refuse it. */
export function readMessage1(message: Uint8Array): Message1 {
  if (message.length > MESSAGE_MAX_BYTES) throw new Error(`${message.length} bytes`)
  const reader = new Reader1(message)
  const version = reader.byte()
  if (version !== 1) throw new Error(`version ${version}`)
  const length = reader.varint()
  const header = new Reader1(reader.raw(length))
  const fields = header.item(HEADER_KEYS_MAX) as Record<string, unknown>
  header.finish()
  const type = fields['t']
  if (typeof type !== 'string' || !Object.hasOwn(HEADERS, type)) throw new Error(`type ${String(type)}`)
  if (!HEADERS[type]!(fields)) throw new Error(`a malformed ${type}`)
  for (const { vector } of (fields['parts'] ?? []) as { vector: Uint8Array }[]) readVector1(vector)
  const records = type === 'frame' || type === 'chunk' ? readBlock1(reader) : []
  reader.finish()
  return { type, header: fields, records }
}

/** The same message for another session. */
export function withSession1(message: Uint8Array, session: number): Uint8Array {
  const reader = new Reader1(message)
  reader.byte()
  const header = reader.raw(reader.varint())
  const body = reader.raw(message.length - reader.at)
  const name = [0x67, ...new TextEncoder().encode('session')]
  const at = header.findIndex((_, i) => name.every((byte, j) => header[i + j] === byte)) + name.length
  const after = new Reader1(header, at)
  after.item(0)
  const number = new Uint8Array(5)
  new DataView(number.buffer).setUint32(1, session)
  number[0] = 0x1a
  const changed = [...header.subarray(0, at), ...number, ...header.subarray(after.at)]
  const length = changed.length < 128 ? [changed.length] : [(changed.length & 127) | 128, changed.length >> 7]
  return Uint8Array.of(1, ...length, ...changed, ...body)
}

/** Highest sequence number up to which all was seen, for each replica id of a vector. */
function readVector1(vector: Uint8Array): Map<string, number> {
  const reader = new Reader1(vector)
  const heads = new Map<string, number>()
  for (let left = reader.varint(); left > 0; left--) {
    const replicaId = reader.replicaId()
    let last = reader.varint()
    heads.set(replicaId, last)
    for (let ranges = reader.varint(); ranges > 0; ranges--) {
      const first = last + reader.varint()
      if (first <= last + 1) throw new Error('ranges do not ascend')
      last = first + reader.varint()
    }
  }
  reader.finish()
  return heads
}

function readBlock1(reader: Reader1): Record1[] {
  const records: Record1[] = []
  while (!reader.done) {
    const type = reader.byte()
    if (type !== 1 && type !== 2) throw new Error(`record ${type}`)
    const collection = reader.text(128)
    const kind = reader.byte()
    if (collection === '' || reader.varint() >= 4096) throw new Error('a malformed partition')
    const partition = { collection, kind, replicaId: reader.replicaId() }
    if (type === 1) records.push({ type: 'rows', ...partition, rows: readRows1(reader) })
    else records.push({ type: 'voids', ...partition, ranges: readRanges1(reader) })
  }
  return records
}

function readRows1(reader: Reader1): Row1[] {
  const rows: Row1[] = []
  const rowCount = reader.varint()
  if (rowCount === 0) throw new Error('a record without rows')
  let sequence = reader.varint()
  let hlc = reader.varint()
  for (let i = 0; i < rowCount; i++) {
    const step = reader.varint()
    if ((step === 0) !== (i === 0)) throw new Error('sequence numbers do not ascend')
    sequence += step
    const signed = reader.varint()
    hlc += signed % 2 === 0 ? signed / 2 : -(signed + 1) / 2
    if (sequence < 1 || hlc < 0) throw new Error('a malformed row')
    reader.raw(2)
    const key = reader.text(1024)
    if (key === '') throw new Error('an empty key')
    const length = reader.varint() - 1
    if (length < 0) rows.push({ key, sequence, hlc, value: undefined })
    else {
      const value = reader.raw(length)
      const item = new Reader1(value)
      if (item.item(Infinity) === undefined) throw new Error('undefined as a value')
      item.finish()
      rows.push({ key, sequence, hlc, value })
    }
  }
  return rows
}

function readRanges1(reader: Reader1): number[] {
  const ranges: number[] = []
  let last = 0
  for (let left = reader.varint(); left > 0; left--) {
    const first = last + reader.varint()
    if (first <= last) throw new Error('void dots do not ascend')
    last = first + reader.varint()
    ranges.push(first, last)
  }
  return ranges
}

/** Bytes, varints and the plain CBOR of version 1.0. */
class Reader1 {
  readonly #bytes: Uint8Array
  at: number

  constructor(source: Uint8Array, at: number = 0) {
    this.#bytes = source
    this.at = at
  }

  get done(): boolean {
    return this.at === this.#bytes.length
  }

  finish(): void {
    if (!this.done) throw new Error(`${this.#bytes.length - this.at} bytes too many`)
  }

  byte(): number {
    return this.raw(1)[0]!
  }

  raw(length: number): Uint8Array {
    if (length > this.#bytes.length - this.at) throw new Error('truncated')
    this.at += length
    return this.#bytes.subarray(this.at - length, this.at)
  }

  varint(): number {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = this.byte()
      value += (byte & 127) * scale
      if (!Number.isSafeInteger(value)) throw new Error('a number does not fit')
      if (byte < 128) return value
    }
  }

  text(lengthMaxBytes: number): string {
    const length = this.varint()
    if (length > lengthMaxBytes) throw new Error(`text of ${length} bytes`)
    return this.#utf8(length)
  }

  replicaId(): string {
    return Array.from(this.raw(8), (byte) => byte.toString(16).padStart(2, '0')).join('')
  }

  /** One item of CBOR; maps have at most so many keys. */
  item(keysMax: number, depth = 0): unknown {
    if (depth > 64) throw new Error('nested too deep')
    const initial = this.byte()
    const additional = initial & 31
    switch (initial >> 5) {
      case 0:
        return this.#argument(additional)
      case 1:
        return -1 - this.#argument(additional)
      case 2:
        return this.raw(this.#argument(additional))
      case 3:
        return this.#utf8(this.#argument(additional))
      case 4:
        return Array.from({ length: this.#argument(additional) }, () => this.item(keysMax, depth + 1))
      case 5:
        return this.#map(this.#argument(additional), keysMax, depth)
      case 6:
        if (additional !== 1) throw new Error(`tag ${additional}`)
        return this.item(keysMax, 64)
      default:
        return this.#simple(additional)
    }
  }

  #map(size: number, keysMax: number, depth: number): Record<string, unknown> {
    if (size > keysMax) throw new Error(`a map of ${size} keys`)
    const map: Record<string, unknown> = Object.create(null) as Record<string, unknown>
    for (let i = 0; i < size; i++) {
      const initial = this.byte()
      if (initial >> 5 !== 3) throw new Error('a key that is no text')
      const key = this.#utf8(this.#argument(initial & 31))
      if (key === '__proto__' || Object.hasOwn(map, key)) throw new Error(`key ${key}`)
      map[key] = this.item(keysMax, depth + 1)
    }
    return map
  }

  #simple(additional: number): unknown {
    if (additional === 20 || additional === 21) return additional === 21
    if (additional === 22) return null
    if (additional === 23) return undefined
    // A half is no number here: nobody looks closer at those than that they are there.
    if (additional === 25) return this.raw(2)
    const view = new DataView(this.raw(additional === 26 ? 4 : 8).slice().buffer)
    if (additional === 26) return view.getFloat32(0)
    if (additional === 27) return view.getFloat64(0)
    throw new Error(`simple value ${additional}`)
  }

  #argument(additional: number): number {
    if (additional < 24) return additional
    if (additional > 27) throw new Error(`a head with ${additional}`)
    return this.raw(1 << (additional - 24)).reduce((value, byte) => value * 256 + byte, 0)
  }

  #utf8(length: number): string {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(this.raw(length))
  }
}
