import { wallFromHlc } from '../clock/hlc.ts'
import { NAME_MAX_BYTES, WEIGHT_MAX } from '../limits.ts'
import { PartitionCopies } from '../placement/partition-copies.ts'
import type { OwnerRecord } from '../placement/rendezvous.ts'
import type { PeerId } from '../ports.ts'
import type { ReplicaId } from '../versions/replica-ids.ts'
import { readRow } from '../purging/registry-rows.ts'
import type { RegistryRows } from '../purging/registry-rows.ts'
import { readCopyGroups } from '../wire/copy-groups.ts'
import type { CopyGroup } from '../wire/copy-groups.ts'
import type { Fields } from '../wire/fields.ts'
import { isPartitionCount } from '../wire/partition-numbers.ts'
import type { Written } from '../writes/local-writes.ts'

const OWNER = 'owner/'
const AWAY = 'away/'
const FORGOTTEN = 'forgotten/'
const AGAIN = 'again/'

/** What a peer that is able to own partitions registers of itself. */
export interface OwnerRow {
  /** A whole number up to `WEIGHT_MAX`. */
  readonly weight: number
  readonly zone: string
  /** It has a directory: what it holds survives its end. */
  readonly durable: boolean
  /** It hands over what it holds, and leaves. */
  readonly draining: boolean
  /** The copies that it publishes. */
  readonly copies: readonly CopyGroup[]
}

export interface OwningMember extends OwnerRow {
  readonly peerId: PeerId
}

/** Lost partitions of a collection that are to begin again. */
export interface AgainRow {
  readonly name: string
  readonly kind: number
  /** The registration that they belong to. */
  readonly origin: string
  /** A bit for each partition. */
  readonly partitions: Uint8Array
}

/**
 * The rows of the registry from which placement follows: `owner/<peer id>`, which each owner writes of itself,
 * `away/<peer id>`, which another one writes of it, and `forgotten/<peer id>`, which stays; and `again/<kind>-<origin>/<name>`, by
 * which an operator has lost partitions begin again. Malformed rows are ignored.
 */
export class OwnerRows {
  readonly #rows: RegistryRows

  constructor(rows: RegistryRows) {
    this.#rows = rows
  }

  owners(): OwningMember[] {
    return this.#rows.of(OWNER).flatMap(({ key, value }) => {
      const row = readRow(value, readOwner)
      return row === undefined ? [] : [{ peerId: key.slice(OWNER.length), ...row }]
    })
  }

  /** What a peer registers of itself, if it has written that under this replica id. */
  writtenBy(peerId: PeerId, replicaId: ReplicaId): OwnerRow | undefined {
    const row = this.#rows.of(OWNER + peerId).find(({ key }) => key === OWNER + peerId)
    return row?.replicaId === replicaId ? readRow(row.value, readOwner) : undefined
  }

  /** The owners that are marked as away, and since when, in wall milliseconds. */
  away(): ReadonlyMap<PeerId, number> {
    return new Map(this.#rows.of(AWAY).map(({ key, hlc }) => [key.slice(AWAY.length), wallFromHlc(hlc)]))
  }

  forgotten(): ReadonlySet<PeerId> {
    return new Set(this.#rows.of(FORGOTTEN).map(({ key }) => key.slice(FORGOTTEN.length)))
  }

  register(peerId: PeerId, row: OwnerRow): void {
    this.#rows.write(OWNER + peerId, { ...row })
  }

  /** An owner that will not come back. */
  remove(peerId: PeerId): void {
    this.#rows.delete(OWNER + peerId)
    this.#rows.delete(AWAY + peerId)
  }

  markAway(peerId: PeerId): void {
    this.#rows.write(AWAY + peerId, {})
  }

  markBack(peerId: PeerId): void {
    this.#rows.delete(AWAY + peerId)
  }

  /** What is to begin again, since when, and its key. */
  again(): (AgainRow & { readonly key: string; readonly atMs: number })[] {
    return this.#rows.of(AGAIN).flatMap(({ key, value, hlc }) => {
      const row = readRow(value, readAgain)
      return row === undefined ? [] : [{ ...row, key, atMs: wallFromHlc(hlc) }]
    })
  }

  beginAgain(row: AgainRow): void {
    this.#rows.write(`${AGAIN}${row.kind}-${row.origin}/${row.name}`, { ...row })
  }

  removeAgain(key: string): void {
    this.#rows.delete(key)
  }

  forget(peerId: PeerId): Written {
    return this.#rows.write(FORGOTTEN + peerId, {})
  }
}

/** The weight that counts for the share of a peer, of the weight that its user gave it. */
export function countedWeight(weight: number): number {
  return weight > 0 ? Math.min(WEIGHT_MAX, Math.max(1, Math.round(weight))) : 0
}

/** What placement goes by: an owner's own row, and what others have written of it. */
export function recordOf(
  { copies, draining, durable, peerId, weight, zone }: OwningMember,
  awayPeers: ReadonlyMap<PeerId, number>,
  forgottenPeers: ReadonlySet<PeerId>,
): OwnerRecord {
  const forgotten = forgottenPeers.has(peerId)
  return {
    peerId,
    durable,
    weight,
    zone,
    // One that was forgotten hands over what it holds, too.
    draining: draining || forgotten,
    away: awayPeers.has(peerId),
    forgotten,
    copies: PartitionCopies.of(copies),
  }
}

function readAgain(fields: Fields): AgainRow | undefined {
  const partitions = fields.bytes('partitions')
  if (!isPartitionCount(partitions.length * 8)) return undefined
  const name = fields.text('name', NAME_MAX_BYTES)
  return { name, kind: fields.count('kind'), origin: fields.hash('origin'), partitions }
}

function readOwner(fields: Fields): OwnerRow | undefined {
  const weight = fields.count('weight')
  if (weight > WEIGHT_MAX) return undefined
  return {
    weight,
    zone: fields.text('zone', 64),
    durable: fields.flag('durable'),
    draining: fields.flag('draining'),
    copies: readCopyGroups(fields, 'copies'),
  }
}
