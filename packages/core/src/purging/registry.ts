import type { Collections } from '../replica/collections.ts'
import { Floor } from '../versions/floor.ts'
import { wallFromHlc } from '../clock/hlc.ts'
import { CANDIDATE_PARTS_MAX, MEMBER_SILENT_MAX_MS } from '../limits.ts'
import type { Written } from '../writes/local-writes.ts'
import { includes } from '../placement/placement.ts'
import type { PeerId } from '../ports.ts'
import { readVector } from '../versions/vector-codec.ts'
import { readRow } from './registry-rows.ts'
import type { RegistryRows } from './registry-rows.ts'

/** Prefixes of rows: durable members, proposed floors by day, acknowledgements by day and member. */
export const MEMBER = 'member/'
export const FLOOR = 'floor/'
export const ACK = 'ack/'

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

/** A proposed purge floor. */
export interface Candidate {
  /** Its day, counted from 1970. There is one proposal for each day. */
  readonly day: number
  readonly dateMs: number
  /** Identifies this proposal. Members acknowledge a version, not a day. */
  readonly version: string
  readonly parts: readonly CandidatePart[]
}

export interface RegistryDeps {
  readonly collections: Collections
  readonly rows: RegistryRows
}

/**
 * What the registry says of purging: durable members, proposed purge floors and their acknowledgements. Malformed rows are
 * ignored.
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
    for (const { key, value, hlc } of this.#deps.rows.of(MEMBER)) {
      const heardMs = wallFromHlc(hlc)
      if (wallMs - heardMs > MEMBER_SILENT_MAX_MS) continue
      const sinceMs = readRow(value, (fields) => fields.count('since'))
      if (sinceMs !== undefined) members.push({ peerId: key.slice(MEMBER.length), sinceMs, heardMs })
    }
    return members
  }

  /** Removes a durable peer. Undefined if it was not registered. */
  strike(peerId: PeerId): Written | undefined {
    return this.#deps.rows.delete(MEMBER + peerId)
  }

  /** The proposed floors, oldest first. */
  candidates(): Candidate[] {
    const candidates: Candidate[] = []
    const versions = new Set<string>()
    for (const { key, value, hlc, replicaId } of this.#deps.rows.of(FLOOR)) {
      const version = `${hlc} ${replicaId}`
      versions.add(version)
      if (!this.#read.has(version)) this.#read.set(version, this.#candidate(key, value, wallFromHlc(hlc), version))
      const candidate = this.#read.get(version)
      if (candidate !== undefined) candidates.push(candidate)
    }
    for (const version of this.#read.keys()) if (!versions.has(version)) this.#read.delete(version)
    return candidates.toSorted((a, b) => a.day - b.day)
  }

  /** Wall milliseconds at which each peer has acknowledged a proposal, by its own clock. */
  acknowledgements({ day, version }: Candidate): Map<PeerId, number> {
    const prefix = `${ACK}${day}/`
    const acknowledged = new Map<PeerId, number>()
    for (const { key, value, hlc } of this.#deps.rows.of(prefix)) {
      if (readRow(value, (fields) => fields.text('version', 64)) !== version) continue
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

  #candidate(key: string, value: Uint8Array, dateMs: number, version: string): Candidate | undefined {
    const { ids } = this.#deps.collections
    const parts = readRow(value, (fields) =>
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
}
