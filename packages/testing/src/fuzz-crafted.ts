import { BlockWriter, KEY_MAX_BYTES, NAME_MAX_BYTES, encodeValue, hlcFromWall } from '@gossipgrid/core'
import type { MemberRecord } from '@gossipgrid/core'
import { ReplicaIds, VersionVector, encodeMessage, encodeVector } from '@gossipgrid/core/internals'
import type { Message, PartDigest } from '@gossipgrid/core/internals'
import type { FuzzInput, FuzzTarget } from './fuzz-target.ts'
import type { Random } from './random.ts'

const COUNTS = [0, 1, 2, 3, 7, 100, 65_536, 0xffffffff, 2 ** 46, 2 ** 46 + 1, Number.MAX_SAFE_INTEGER]
const SEQUENCES = [1, 2, 3, 4, 5, 20, 1000, 0x7fffffff, 0xfffffffe, 0xffffffff]
const NAMES = [
  'users',
  'users',
  'users',
  'orders',
  'Users',
  '__proto__',
  'constructor',
  '../x',
  'CON',
  '<b>',
  ' ',
  'a\nb',
]
const KEYS = ['key 0', 'key 1', 'late 0', '__proto__', 'constructor', '<script>', '\u0000', '../../x', '']
const VALUES = [null, 1, Number.NaN, -0, 'x', [[[[[]]]]], { constructor: { prototype: 1 } }, new Uint8Array(2000)].map(
  (value) => encodeValue(value, 10_000),
)
/** How far ahead of the victim's clock writes are dated, in milliseconds. */
const AHEAD_MS = [-1e12, -60_000, -1, 0, 1, 59_000, 61_000, 300_000, 599_000, 601_000, 1e9]

/** Makes messages that every decoder accepts, but whose contents no honest peer sends. */
export class CraftedMessages {
  readonly #random: Random
  readonly #target: FuzzTarget

  constructor(random: Random, target: FuzzTarget) {
    this.#random = random
    this.#target = target
  }

  next(): FuzzInput {
    const message = this.#message()
    const way = message.type === 'frame' || message.type === 'announce' ? 'broadcast' : 'message'
    return { way: this.#random.chance(0.02) ? 'message' : way, bytes: encodeMessage(message) }
  }

  #message(): Message {
    const random = this.#random
    const session = random.chance(0.8) ? random.pick([...this.#target.sessions, 1, 2]) : random.pick(COUNTS)
    const root = random.chance(0.3) ? this.#target.victim.collections.root() : this.#hash()
    switch (random.below(16)) {
      case 0:
        return {
          type: 'announce',
          member: this.#member(random.chance(0.9) ? this.#target.sender : undefined),
          root,
          bulk: random.chance(0.5),
          parts: random.chance(0.2) ? undefined : this.#parts(),
        }
      case 1:
        return { type: 'hello', members: Array.from({ length: random.mostlySmall(0, 60) }, () => this.#member()) }
      case 2:
        return { type: 'goodbye', left: random.chance(0.5) }
      case 3:
      case 4:
        return { type: 'digest', session: random.chance(0.5) ? random.below(1000) : session, root }
      case 5:
        return random.chance(0.5) ? { type: 'equal', session } : { type: 'stop', session, reason: 'x' }
      case 6:
      case 7:
        return { type: 'vectors', session, ask: random.chance(0.5), parts: this.#parts() }
      case 8:
      case 9:
      case 10:
        return { type: 'chunk', session, index: random.below(4), last: random.chance(0.3), block: this.#block() }
      case 11:
        return { type: 'chunk-ack', session, index: random.chance(0.7) ? random.below(4) : random.pick(COUNTS) }
      case 12:
        return {
          type: 'confirm',
          request: random.pick(COUNTS),
          collection: random.pick(NAMES),
          partition: random.pick(COUNTS),
          replicaId: this.#replicaId(),
          sequence: random.pick(COUNTS),
        }
      case 13:
        return { type: 'confirmed', request: random.pick(COUNTS) }
      default:
        return { type: 'frame', block: this.#block() }
    }
  }

  #block(): Uint8Array {
    const random = this.#random
    const ids = new ReplicaIds()
    const out = new BlockWriter(ids)
    const shared = random.chance(0.1)
    for (let records = random.mostlySmall(1, 6); records > 0; records--) {
      const writer = ids.intern(this.#replicaId())
      const partition = {
        collection: random.chance(0.97)
          ? random.pick(NAMES)
          : `c${random.below(1e6)}`.padEnd(random.pick([1, NAME_MAX_BYTES]), 'x'),
        kind: random.chance(0.95) ? 1 : random.below(256),
        partition: random.chance(0.95) ? 0 : random.pick([1, 4095, 4096, 8191, 8192]),
      }
      if (random.chance(0.2)) {
        out.superseded(partition, writer, this.#ranges())
        continue
      }
      let sequence = random.pick(SEQUENCES)
      for (let rows = random.mostlySmall(1, shared ? 300 : 10); rows > 0; rows--) {
        const bytes = random.chance(0.2) ? undefined : random.pick(VALUES)
        const hlc = hlcFromWall(this.#target.wallMs + random.pick(AHEAD_MS)) + random.below(5000)
        const key = random.chance(0.5)
          ? random.pick(KEYS)
          : `${random.below(100)}`.repeat(random.pick([1, 1, KEY_MAX_BYTES]))
        const row = { key, hlc, writer, sequence, replaced: random.below(65_536), bytes, start: 0 }
        out.row(partition, { ...row, end: bytes?.length ?? 0 })
        if (!shared) sequence += random.pick([1, 1, 1, 2, 1000])
      }
    }
    return out.take()
  }

  #parts(): PartDigest[] {
    const random = this.#random
    return Array.from({ length: random.mostlySmall(0, 5) }, () => {
      const ids = new ReplicaIds()
      const vector = new VersionVector()
      for (let count = random.mostlySmall(1, 20); count > 0; count--) {
        const writer = ids.intern(this.#replicaId())
        const ranges = this.#ranges()
        for (let i = 0; i < ranges.length; i += 2) vector.addRange(writer, ranges[i]!, ranges[i + 1]!)
      }
      return {
        collection: random.pick(NAMES),
        kind: random.chance(0.9) ? 1 : random.pick(COUNTS),
        partition: random.chance(0.9) ? 0 : random.pick(COUNTS),
        fingerprint: this.#hash(),
        vector: encodeVector(vector, ids),
      }
    })
  }

  /** Flat pairs of numbers in ascending order. */
  #ranges(): number[] {
    const random = this.#random
    const ranges: number[] = []
    let last = random.chance(0.5) ? 0 : random.pick(SEQUENCES)
    for (let count = random.mostlySmall(1, 20); count > 0; count--) {
      const first = last + random.pick([1, 1, 2, 5])
      last = Math.min(0xffffffff, first + random.pick([0, 0, 1, 50, 0xffffffff]))
      if (first > last) break
      ranges.push(first, last)
    }
    return ranges
  }

  #member(peerId?: string): MemberRecord {
    const random = this.#random
    const victimOf16 = Array.from({ length: 16 }, (_, i) => `/ip4/203.0.113.${i}/tcp/1`)
    return {
      peerId:
        peerId ??
        random.pick(['victim', 'honest', this.#target.sender, `sybil ${random.below(5000)}`, '__proto__', '']),
      incarnation: random.chance(0.5) ? this.#target.wallMs + random.below(1000) : random.pick(COUNTS),
      revision: random.pick(COUNTS),
      role: random.pick(['storage', 'light']),
      weight: random.pick([0, 1, 1e308, 0.1]),
      zone: random.pick(['', 'z', '\u001b[31m']),
      addresses: random.pick([[], ['honest'], victimOf16, ['not an address']]),
      software: 'fuzz',
      replicaId: this.#replicaId(),
      left: random.chance(0.1),
    }
  }

  #replicaId(): string {
    const random = this.#random
    const { victim, honest } = this.#target
    const few = random.below(30).toString(16).padStart(16, '0')
    return random.pick([victim.replicaId, honest.replicaId, few, few, few, this.#hash()])
  }

  #hash(): string {
    const word = (): string => this.#random.uint32().toString(16).padStart(8, '0')
    return word() + word()
  }
}
