import { decodeValue, encodeValue } from '../bytes/cbor.ts'
import type { Collections, Partition } from '../replica/collections.ts'
import { Fields } from '../wire/fields.ts'
import { Floor } from '../versions/floor.ts'
import { wallFromHlc } from '../clock/hlc.ts'
import { REGISTRY, descriptorOf, kindCode } from '../kinds/kinds.ts'
import type { CollectionDescriptor } from '../kinds/kinds.ts'
import { CANDIDATE_PARTS_MAX, MEMBER_SILENT_MAX_MS, OWNERS_MAX, SIGN_OF_LIFE_MS, VALUE_MAX_BYTES } from '../limits.ts'
import type { Written } from '../writes/local-writes.ts'
import { isPartitionCount } from '../placement/partition-numbers.ts'
import { includes } from '../placement/placement.ts'
import type { PeerId } from '../ports.ts'
import { readVector } from '../versions/vector-codec.ts'

const MEMBER = 'member/'
const FLOOR = 'floor/'
const ACK = 'ack/'
const COLLECTION = 'collection/'

/** A registered durable member. */
export interface Registered {
  readonly peerId: PeerId
  /** Wall milliseconds at which it registered, and of its last sign of life, by its own clock. */
  readonly sinceMs: number
  readonly heardMs: number
}

/** The proposed purge floor of a partition. */
export interface CandidatePart {
  readonly collection: string
  readonly kind: number
  readonly partition: number
  readonly floor: Floor
}

/** A `CandidatePart` as it is written into the registry: with an encoded vector. */
export interface ProposedPart {
  readonly collection: string
  readonly kind: number
  readonly partition: number
  readonly vector: Uint8Array
}

/** A proposed purge floor. */
export interface Candidate {
  /** Its day, counted from 1970. There is one proposal for each day. */
  readonly day: number
  readonly dateMs: number
  /** Identifies this proposal. Members acknowledge a version, not a day. */
  readonly version: string
  readonly parts: readonly CandidatePart[]
}

/** The registration of a name. */
export interface RegisteredName {
  /** The key of its row, which says everything. */
  readonly key: string
  readonly name: string
  /** Undefined for a kind of a later version, and for a malformed row. */
  readonly descriptor: CollectionDescriptor | undefined
  readonly hlc: number
  readonly replicaId: string
}

export interface RegistryDeps {
  readonly collections: Collections
  write(partition: Partition, key: string, value: Uint8Array | undefined): Written
}

/**
 * The rows of the registry: durable members, proposed purge floors and their acknowledgements, and the kind of each name.
 * Malformed rows are ignored.
 */
export class Registry {
  readonly #deps: RegistryDeps
  readonly #read = new Map<string, Candidate | undefined>()

  constructor(deps: RegistryDeps) {
    this.#deps = deps
  }

  /** Durable members that gave a sign of life within 90 days. */
  members(wallMs: number): Registered[] {
    const members: Registered[] = []
    for (const { key, value, hlc } of this.#rows(MEMBER)) {
      const heardMs = wallFromHlc(hlc)
      if (wallMs - heardMs > MEMBER_SILENT_MAX_MS) continue
      const sinceMs = readField(value, (fields) => fields.count('since'))
      if (sinceMs !== undefined) members.push({ peerId: key.slice(MEMBER.length), sinceMs, heardMs })
    }
    return members
  }

  /** Durable members that gave no sign of life for 90 days. */
  silent(wallMs: number): PeerId[] {
    const rows = this.#rows(MEMBER).filter(({ hlc }) => wallMs - wallFromHlc(hlc) > MEMBER_SILENT_MAX_MS)
    return rows.map(({ key }) => key.slice(MEMBER.length))
  }

  /** Registers a durable peer, or renews its sign of life when that is due. */
  attend(peerId: PeerId, wallMs: number): void {
    const known = this.members(wallMs).find((member) => member.peerId === peerId)
    if (known !== undefined && wallMs - known.heardMs < SIGN_OF_LIFE_MS) return
    this.#write(MEMBER + peerId, { since: known?.sinceMs ?? Math.max(0, Math.floor(wallMs)) })
  }

  /** Removes a durable peer. Undefined if it was not registered. */
  strike(peerId: PeerId): Written | undefined {
    return this.#delete(MEMBER + peerId)
  }

  /** The proposed floors, oldest first. */
  candidates(): Candidate[] {
    const candidates: Candidate[] = []
    const versions = new Set<string>()
    for (const { key, value, hlc, replicaId } of this.#rows(FLOOR)) {
      const version = `${hlc} ${replicaId}`
      versions.add(version)
      if (!this.#read.has(version)) this.#read.set(version, this.#candidate(key, value, wallFromHlc(hlc), version))
      const candidate = this.#read.get(version)
      if (candidate !== undefined) candidates.push(candidate)
    }
    for (const version of this.#read.keys()) if (!versions.has(version)) this.#read.delete(version)
    return candidates.toSorted((a, b) => a.day - b.day)
  }

  propose(day: number, parts: readonly ProposedPart[]): void {
    this.#write(FLOOR + day, { parts })
  }

  acknowledge({ day, version }: Candidate, peerId: PeerId): void {
    this.#write(`${ACK}${day}/${peerId}`, { version })
  }

  /** Wall milliseconds at which each peer has acknowledged a proposal, by its own clock. */
  acknowledgements({ day, version }: Candidate): Map<PeerId, number> {
    const prefix = `${ACK}${day}/`
    const acknowledged = new Map<PeerId, number>()
    for (const { key, value, hlc } of this.#rows(prefix)) {
      if (readField(value, (fields) => fields.text('version', 64)) !== version) continue
      acknowledged.set(key.slice(prefix.length), wallFromHlc(hlc))
    }
    return acknowledged
  }

  /** Whether a proposal waits for a peer: it holds a partition that the proposal is about. */
  concerns({ parts }: Candidate, peerId: PeerId): boolean {
    const { placement } = this.#deps.collections
    return parts.some((part) => includes(placement.audience(part), peerId))
  }

  /** When the last durable member that it concerns acknowledged a proposal; undefined while one has not. */
  acknowledgedMs(candidate: Candidate, members: readonly Registered[]): number | undefined {
    const concerned = members.filter(({ peerId }) => this.concerns(candidate, peerId))
    if (concerned.length === 0) return undefined
    const acknowledged = this.acknowledgements(candidate)
    let lastMs = candidate.dateMs
    for (const { peerId, sinceMs } of concerned) {
      const atMs = acknowledged.get(peerId)
      if (atMs === undefined) return undefined
      // A member that registered later must have it too, but starts no new grace period.
      if (sinceMs <= candidate.dateMs) lastMs = Math.max(lastMs, atMs)
    }
    return lastMs
  }

  /** Removes a proposal and its acknowledgements. */
  withdraw(day: number): void {
    for (const { key } of [...this.#rows(`${ACK}${day}/`)]) this.#delete(key)
    this.#delete(FLOOR + day)
  }

  names(): RegisteredName[] {
    return this.#rows(COLLECTION).map(({ key, hlc, replicaId }) => {
      const slash = key.indexOf('/', COLLECTION.length)
      const name = key.slice(slash + 1)
      return { key, name, descriptor: readDescriptor(name, key.slice(COLLECTION.length, slash)), hlc, replicaId }
    })
  }

  registerName(descriptor: CollectionDescriptor): void {
    this.#write(nameRowKey(descriptor), {})
  }

  #candidate(key: string, value: Uint8Array, dateMs: number, version: string): Candidate | undefined {
    const { ids } = this.#deps.collections
    const parts = readField(value, (fields) =>
      fields.list('parts', CANDIDATE_PARTS_MAX).map((part) => ({
        collection: part.text('collection', 128),
        kind: part.count('kind'),
        partition: part.count('partition'),
        floor: Floor.empty(ids).with(readVector(part.bytes('vector')), Math.max(0, dateMs)),
      })),
    )
    const day = Number(key.slice(FLOOR.length))
    return parts === undefined || !Number.isSafeInteger(day) ? undefined : { day, dateMs, version, parts }
  }

  #rows(prefix: string): { key: string; value: Uint8Array; hlc: number; replicaId: string }[] {
    const { collections } = this.#deps
    const partition = collections.internal(REGISTRY)
    const { table } = partition.replica
    const rows: { key: string; value: Uint8Array; hlc: number; replicaId: string }[] = []
    for (const slot of table.slots()) {
      // Reading the key of a tombstone takes long.
      if (table.deleted(slot) || !table.key(slot).startsWith(prefix)) continue
      const value = table.value(slot)!
      const replicaId = collections.ids.id(table.writer(slot))
      rows.push({ key: table.key(slot), value, hlc: table.hlc(slot), replicaId })
    }
    return rows
  }

  #write(key: string, value: Record<string, unknown>): void {
    const partition = this.#deps.collections.internal(REGISTRY)
    this.#deps.write(partition, key, encodeValue(value, VALUE_MAX_BYTES))
  }

  #delete(key: string): Written | undefined {
    const partition = this.#deps.collections.internal(REGISTRY)
    const slot = partition.replica.table.slotOf(key)
    if (slot === undefined || partition.replica.table.deleted(slot)) return undefined
    return this.#deps.write(partition, key, undefined)
  }
}

/** Reads a row; undefined if it is malformed. */
function readField<T>(value: Uint8Array, read: (fields: Fields) => T): T | undefined {
  try {
    return read(new Fields(decodeValue(value), 'registry'))
  } catch {
    return undefined
  }
}

/**
 * The key under which a collection is registered. Kind, partitions and owners are part of it, so that two registrations of
 * one name stay two rows, of which the earlier one counts.
 */
export function nameRowKey(descriptor: CollectionDescriptor): string {
  const { name, owners, partitions } = descriptor
  const shape = owners === undefined ? '' : `-${partitions}-${owners}`
  return `${COLLECTION}${kindCode(descriptor)}${shape}/${name}`
}

/** What `nameRowKey` says of a collection between its prefix and the name. */
function readDescriptor(name: string, text: string): CollectionDescriptor | undefined {
  const [, kind, partitions, owners] = /^(\d{1,3})(?:-(\d{1,5})-(\d{1,2}))?$/.exec(text) ?? []
  if (kind === undefined) return undefined
  if (partitions === undefined || owners === undefined) return descriptorOf(name, Number(kind))
  const shape = { partitions: Number(partitions), owners: Number(owners) }
  const makesSense = isPartitionCount(shape.partitions) && shape.owners >= 1 && shape.owners <= OWNERS_MAX
  return makesSense ? descriptorOf(name, Number(kind), shape) : undefined
}
