import { BlockWriter, KEY_MAX_BYTES, NAME_MAX_BYTES, encodeValue, hlcFromWall, kindCode } from '@gossipgrid/core'
import type { MemberRecord } from '@gossipgrid/core'
import { REGISTRY, ReplicaIds, VersionVector, encodeMessage, encodeVector } from '@gossipgrid/core/internals'
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
    switch (random.below(22)) {
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
      case 16:
      case 17:
      case 18:
        return this.#question()
      case 19:
      case 20:
        return this.#answer()
      default:
        return { type: 'frame', block: this.#block() }
    }
  }

  /** About partitions. */
  #question(): Message {
    const random = this.#random
    const request = random.pick(COUNTS)
    const collection = random.pick(['spread', 'spread', ...NAMES])
    const kind = random.chance(0.9) ? 1 : random.pick(COUNTS)
    const origin = random.chance(0.5) ? { origin: this.#origin() } : {}
    const part = { collection, kind, partition: this.#partition(), ...origin }
    const manner = {
      ...(random.chance(0.2) ? { passed: true as const } : {}),
      ...(random.chance(0.2) ? { former: true as const } : {}),
    }
    const own = random.chance(0.2) ? { own: true as const } : {}
    switch (random.below(6)) {
      case 0: {
        const keys = Array.from({ length: random.mostlySmall(0, 300) }, () => random.pick(KEYS))
        const parts = Array.from({ length: random.mostlySmall(1, 4) }, () => ({
          ...part,
          partition: this.#partition(),
          keys,
        }))
        return { type: 'read', request, parts, ...manner, ...own }
      }
      case 1:
        return {
          type: 'scan',
          request,
          ...part,
          after: random.pick(KEYS),
          prefix: random.pick(['', ...KEYS]),
          keysMax: random.pick(COUNTS),
          ...manner,
        }
      case 2: {
        const partitions = Array.from({ length: random.mostlySmall(0, 5000) }, () => this.#partition())
        return { type: 'count', request, collection, kind, ...origin, partitions, ...manner }
      }
      case 3:
        return { type: 'covers', request, parts: this.#parts() }
      case 4: {
        const partitions = Array.from({ length: random.mostlySmall(0, 5000) }, () => this.#partition())
        const question = Uint8Array.from({ length: random.mostlySmall(0, 300) }, () => random.below(256))
        return { type: 'query', request, collection, kind, ...origin, partitions, question, ...manner }
      }
      case 5:
        return this.#follow(request, part)
      default:
        return {
          type: 'write',
          request,
          view: this.#hash(),
          ...(random.chance(0.3) ? { reissue: true as const } : {}),
          block: this.#block(),
        }
    }
  }

  #follow(
    request: number,
    part: { readonly collection: string; readonly kind: number; readonly partition: number },
  ): Message {
    const random = this.#random
    return {
      type: 'follow',
      request,
      ...part,
      ...(random.chance(0.6)
        ? { since: Uint8Array.from({ length: random.mostlySmall(0, 200) }, () => random.below(256)) }
        : {}),
      ...(random.chance(0.7) ? { initial: true as const } : {}),
      prefix: random.pick(['', ...KEYS]),
      ...(random.chance(0.2) ? { exact: true as const } : {}),
      ...(random.chance(0.2) ? { passed: true as const } : {}),
    }
  }

  /** To what the victim has asked, or to nothing. */
  #answer(): Message {
    const random = this.#random
    const request = random.chance(0.8) ? random.pick([...this.#target.requests, 1]) : random.pick(COUNTS)
    const outcomes = Uint8Array.from({ length: random.mostlySmall(0, 100) }, () => random.below(8))
    const some = (): number[] => Array.from({ length: random.mostlySmall(0, 20) }, () => random.pick(COUNTS))
    switch (random.below(6)) {
      case 0:
        return { type: 'found', request, outcomes, block: this.#block() }
      case 1: {
        const end = random.chance(0.5) ? { end: random.pick(KEYS) } : {}
        return { type: 'page', request, answered: random.chance(0.8), ...end, block: this.#block() }
      }
      case 2:
        return { type: 'counted', request, outcomes, counts: some() }
      case 3:
        return { type: 'covered', request, covered: outcomes }
      case 4:
        return { type: 'result', request, outcomes, answer: outcomes, block: this.#block() }
      case 5:
        return { type: 'followed', request, answered: random.chance(0.8), since: outcomes, block: this.#block() }
      default: {
        const audience = random.chance(0.5) ? { audience: ['victim', 'honest', '__proto__', this.#target.sender] } : {}
        return { type: 'written', request, outcomes, heads: some(), ...audience }
      }
    }
  }

  #partition(): number {
    return this.#random.chance(0.8) ? 16 + this.#random.below(16) : this.#random.pick([0, 1, ...COUNTS])
  }

  /** A registration of a collection: the true one, or none. */
  #origin(): string {
    return this.#random.chance(0.7) ? this.#target.victim.replicaId : this.#hash()
  }

  /** A row of the registry in which a peer lies about itself, about others, or about collections. */
  #registryRow(): { readonly key: string; readonly bytes: Uint8Array | undefined } {
    const random = this.#random
    const peer = random.pick([this.#target.sender, 'victim', 'honest', `sybil ${random.below(50)}`, ''])
    const bits = (): Uint8Array =>
      Uint8Array.from({ length: random.pick([2, 2, 2, 0, 512, 3]) }, () => random.below(256))
    const collections = [{ name: 'spread', kind: 1, origin: this.#origin() }]
    const copies = random.chance(0.8)
      ? [{ partitions: random.pick([16, 16, 15, 2 ** 40]), present: bits(), whole: bits(), collections }]
      : []
    const owner = {
      weight: random.pick([1, 16, 17, 1e308]),
      zone: random.pick(['', 'z']),
      durable: random.chance(0.5),
      draining: random.chance(0.3),
      copies,
    }
    const [key, value] = random.pick<readonly [string, unknown]>([
      [`owner/${peer}`, owner],
      [`owner/${peer}`, owner],
      [`owner/${peer}`, 7],
      [`away/${peer}`, {}],
      [`forgotten/${random.pick(['none', `sybil ${random.below(50)}`])}`, {}],
      [`again/1-${this.#origin()}/spread`, { name: 'spread', kind: 1, origin: this.#origin(), partitions: bits() }],
      [`collection/map-16-2-${this.#origin()}/spread`, {}],
      [`collection/map-32-200-${this.#origin()}/users`, {}],
    ])
    return { key, bytes: random.chance(0.1) ? undefined : encodeValue(value, 10_000) }
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
          ? random.pick([...NAMES, 'spread', 'spread'])
          : `c${random.below(1e6)}`.padEnd(random.pick([1, NAME_MAX_BYTES]), 'x'),
        kind: random.chance(0.95) ? 1 : random.below(256),
        partition: random.chance(0.7) ? 0 : this.#partition(),
      }
      if (random.chance(0.2)) {
        out.superseded(partition, writer, this.#ranges())
        continue
      }
      let sequence = random.pick(SEQUENCES)
      if (random.chance(0.15)) {
        const { key, bytes } = this.#registryRow()
        const hlc = hlcFromWall(this.#target.wallMs)
        const row = { key, hlc, writer, sequence, replaced: 0, bytes, start: 0, end: bytes?.length ?? 0 }
        out.row({ collection: REGISTRY.name, kind: kindCode(REGISTRY), partition: 0 }, row)
        continue
      }
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
        collection: random.pick([...NAMES, 'spread', 'spread']),
        kind: random.chance(0.9) ? 1 : random.pick(COUNTS),
        partition: random.chance(0.7) ? 0 : this.#partition(),
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
