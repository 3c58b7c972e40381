import { wallFromHlc } from '@gossipgrid/core'
import type { PartitionName, Peer } from '@gossipgrid/core'
import { partitionIndex, partitionNumber } from '@gossipgrid/core/internals'
import type { Violation } from './checkers.ts'
import { peerIdOf } from './peer-ids.ts'
import { compareVersions } from './peer-state.ts'
import type { Version } from './peer-state.ts'
import { copyKey, isOwner, isRemove, ownersOf } from './partition-witness.ts'
import type { Witness } from './partition-witness.ts'

/** The kind of the collections: maps of whole values. */
const MAP_KIND = 1
export const PARTITIONS = 16

/** The partition of a key. */
export function nameOf(collection: string, key: string, kind: number = MAP_KIND): PartitionName {
  return { collection, kind, partition: partitionNumber(PARTITIONS, partitionIndex(key, PARTITIONS)) }
}

/** One write to a key of a partition. */
export interface PartitionWrite extends Version {
  readonly name: PartitionName
  readonly key: string
  readonly machine: number
  /** How often the machine had been started. */
  readonly life: number
  /** The registration of the collection that its writer knew. */
  readonly origin: string
  readonly writeId: number
  /** Simulated milliseconds. */
  readonly madeAtMs: number
  /** Its writer had no whole copy of the partition. */
  readonly hinted: boolean
  /** Its writer has no directory: another peer issues it under a dot of its own, with its date. */
  readonly reissued: boolean
  /** How many disks had been lost when it was made. */
  readonly lostDisksBefore: number
  /** Wall milliseconds from which its key is gone: 0 for a delete, Infinity for a value that stays. */
  readonly endsAtMs: number
  /** All writes to its key, oldest first. */
  readonly ofKey: PartitionWrite[]
  /** Its machine was forgotten, before or after it was made: what only that machine has is given up. */
  forgotten: boolean
  /** Simulated milliseconds at which a copy of the partition was first seen to know of it. */
  seenAtMs: number
  /** The same, of copies of other machines than that of its writer. */
  seenElsewhereAtMs: number
  /** Of a write that has ended: simulated milliseconds at which a copy was first seen to have purged it. */
  purgedAtMs: number
  /** No peer has it as a hint any more. */
  confirmed: boolean
  /** The fewest owners that a peer knew of which had it as a hint at the last check. One that knew of none may become the only one. */
  ownersKnown: number
  /** All owners have it, and every other peer in the writer's reach that has a copy: a read finds it from then on. */
  readable: boolean
  /** It is durable at its writer. */
  acknowledged: boolean
  /** Every copy of it was lost with a disk. */
  excused: boolean
  /**
   * Until then it may be gone: the last owner that had it has lost its disk, and peers that have it as a hint or as former owners may
   * have the word of that owner that they need not keep it.
   */
  atRiskUntilMs: number
  /** By registration: in how many checks in a row every copy was whole and had it. */
  readonly everywhere: Map<string, number>
  /** Once every copy had it: how many those were, and how many disks had been lost by then. */
  settled: { readonly copies: number; readonly lostDisks: number } | undefined
}

/** Of a write that has just been made. */
export const NOTHING_KNOWN: Pick<
  PartitionWrite,
  | 'confirmed'
  | 'ownersKnown'
  | 'readable'
  | 'acknowledged'
  | 'excused'
  | 'atRiskUntilMs'
  | 'settled'
  | 'forgotten'
  | 'seenAtMs'
  | 'seenElsewhereAtMs'
  | 'purgedAtMs'
> = {
  forgotten: false,
  seenAtMs: Infinity,
  seenElsewhereAtMs: Infinity,
  purgedAtMs: Infinity,
  confirmed: false,
  ownersKnown: Infinity,
  readable: false,
  acknowledged: false,
  excused: false,
  atRiskUntilMs: 0,
  settled: undefined,
}

/** How long after the loss of a disk peers may still act on its word: they have not noticed that it is gone. */
const WORD_MAX_MS = 3000
/** How long after its grace period a delete is purged at the latest, while its copies are in reach of each other. */
const PURGE_LATE_MAX_MS = 60_000
/** Owners that have a row before its writer may forget it. */
const HINT_COPIES_MIN = 2

/**
 * What was written, and what follows from it for copies that call themselves whole.
 *
 * A whole copy descends from a complete history. So once all copies of a partition are whole and have a write, every copy
 * that begins later has it by the time that it is whole. A frame may be lost on its way to a copy that is about to be
 * whole; such a write counts only once all copies have it.
 */
export class PartitionLedger {
  readonly writes: PartitionWrite[] = []
  readonly ownersMax: number
  readonly #checksMin: number
  readonly #byKey = new Map<string, PartitionWrite[]>()
  #lostDisks = 0
  /** How many those were at the last checks. */
  readonly #lostDisksAt: number[] = []

  /**
   * `ownersMax`: how many peers are to own each partition. `checksMin`: after so many checks rows are durable everywhere, and peers
   * have noticed which others are gone.
   */
  constructor(ownersMax: number, checksMin: number) {
    this.ownersMax = ownersMax
    this.#checksMin = checksMin
  }

  get lostDisks(): number {
    return this.#lostDisks
  }

  /** All writes to a key that were ever made, oldest first. */
  ofKey(name: PartitionName, key: string): PartitionWrite[] {
    const place = `${copyKey(name)} ${key}`
    const known = this.#byKey.get(place) ?? []
    this.#byKey.set(place, known)
    return known
  }

  /** A machine has written. */
  add(write: PartitionWrite): void {
    this.writes.push(write)
    write.ofKey.push(write)
  }

  /** Whether an application made a write of this date to the key. */
  isDateOf(name: PartitionName, key: string, hlc: number): boolean {
    return this.ofKey(name, key).some((write) => write.hlc === hlc)
  }

  /** A machine has made writes durable. */
  acknowledge(machine: number, writeId: number): void {
    for (const write of this.writes) {
      if (write.machine === machine && write.writeId <= writeId) write.acknowledged = true
    }
  }

  /** A machine has crashed. What was not acknowledged and is not on its disk never happened. */
  crashed(machine: number, stored: Witness | undefined): void {
    const kept = this.writes.filter(
      (write) => write.machine !== machine || write.acknowledged || (stored !== undefined && hasWrite(stored, write)),
    )
    this.writes.length = 0
    this.writes.push(...kept)
  }

  /** Disks have lost something: what is at no machine any more is not owed. */
  excuse(witnesses: readonly Witness[], nowMs: number): void {
    this.#lostDisks += 1
    for (const write of this.writes) {
      if (witnesses.some(({ peer }) => isOwner(peer, write.name) && hasRow(peer, write))) continue
      write.atRiskUntilMs = nowMs + WORD_MAX_MS
      if (!witnesses.some((each) => hasWrite(each, write))) write.excused = true
    }
  }

  /** Looks at every copy there is; returns one that calls itself whole and is not, or a write of which there are too few. */
  check(witnesses: readonly Witness[], nowMs: number): Violation | undefined {
    this.#lostDisksAt.push(this.#lostDisks)
    if (this.#lostDisksAt.length > this.#checksMin + 1) this.#lostDisksAt.shift()
    // What was not acknowledged when its machine crashed may have gone to others before.
    const versions = rememberedVersions()
    const hinters = witnesses.filter(({ hints }) => hints.size > 0)
    for (const writes of this.#byKey.values())
      for (const write of writes) noticeCopies(write, witnesses, nowMs, versions)
    for (const write of this.writes) {
      if (!write.acknowledged || write.excused) continue
      const key = copyKey(write.name)
      const copies = witnesses.flatMap(({ peer, copies: states }) => {
        const state = states.get(key)
        return state === undefined ? [] : [{ peer, ...state, has: hasRow(peer, write, versions) }]
      })
      const holders = copies.filter(({ has }) => has).map(({ peer }) => peer)
      const hinting = hinters.filter((each) => hasHint(each, write))
      const isHint = hinting.length > 0
      if (isHint) write.ownersKnown = Math.min(...hinting.map(({ peer }) => ownersOf(peer, write.name).size || 1))
      if (holders.length === 0 && !isHint && nowMs <= write.atRiskUntilMs) {
        write.excused = true
        continue
      }
      const short =
        this.#shortOf(write, isHint ? Math.max(1, holders.length) : holders.length) ??
        this.#unconfirmed(write, holders, isHint)
      if (short !== undefined) return short
      for (const { peer, origin, whole, has } of copies) {
        if (!whole || has || (write.everywhere.get(origin) ?? 0) < this.#checksMin) continue
        return `whole: ${peer.peerId} calls its copy of ${key} whole and lacks ${write.replicaId}/${write.sequence} of '${write.key}'`
      }
      for (const origin of new Set(copies.map((copy) => copy.origin))) {
        const checks = write.everywhere.get(origin) ?? 0
        const isEverywhere = copies.every((copy) => copy.origin === origin && copy.whole && copy.has)
        if (isEverywhere) {
          write.everywhere.set(origin, checks + 1)
          if (checks >= this.#checksMin) write.settled ??= { copies: copies.length, lostDisks: this.#lostDisksAt[0]! }
        } else if (checks < this.#checksMin) write.everywhere.delete(origin)
      }
    }
    return undefined
  }

  /** A hint ends only when two owners have the row, or all that there are to be. A peer may know of few that can own. */
  #unconfirmed(write: PartitionWrite, holders: readonly Peer[], isHint: boolean): Violation | undefined {
    if (!write.hinted || write.confirmed || isHint) return undefined
    write.confirmed = true
    const lost = this.#lostDisks - write.lostDisksBefore
    const known = Math.min(write.ownersKnown, ...holders.map((peer) => ownersOf(peer, write.name).size))
    const wanted = write.reissued ? 1 : Math.min(this.ownersMax, HINT_COPIES_MIN, known) - lost
    return holders.length >= wanted
      ? undefined
      : `hint: '${write.key}' of ${copyKey(write.name)} is no hint any more, and has ${holders.length} copies`
  }

  /** No handover leaves fewer copies of a write than there are to be, but for those that were lost with a disk. */
  #shortOf({ key, name, settled }: PartitionWrite, copies: number): Violation | undefined {
    const lost = settled === undefined ? Infinity : this.#lostDisks - settled.lostDisks
    const wanted = Math.max(1, Math.min(this.ownersMax, settled?.copies ?? 1) - lost)
    return copies >= wanted ? undefined : `copies: '${key}' of ${copyKey(name)} has ${copies} copies and not ${wanted}`
  }
}

/** A peer has a whole copy of something that no other owner has whole. */
export function isLastOwner({ copies }: Witness, others: readonly Witness[]): boolean {
  return [...copies].some(([key, { origin, whole }]) => {
    const [collection = '', kind, partition] = key.split(' ')
    const name = { collection, kind: Number(kind), partition: Number(partition) }
    return whole && !others.some((other) => isWholeOwner(other, name, origin))
  })
}

function isWholeOwner({ copies, peer }: Witness, name: PartitionName, origin: string): boolean {
  const copy = copies.get(copyKey(name))
  return copy?.whole === true && copy.origin === origin && isOwner(peer, name)
}

/** Whether a peer has a write in a copy of its partition, or a later version of its key, or has purged that. */
export function hasRow(peer: Peer, write: PartitionWrite, versions: VersionsOf = versionOf): boolean {
  const version = versions(peer, write)
  if (version !== undefined && isAtLeast(version, write)) return true
  const purged = write.ofKey.find((each) => isAtLeast(each, write) && hasPurged(peer, each))
  return purged !== undefined && (version === undefined || isNewAfter(purged, version))
}

export type VersionsOf = (peer: Peer, write: PartitionWrite) => Version | undefined

/** As `versionOf`, and looks once for all writes to a key: good until a peer takes a step. */
export function rememberedVersions(): VersionsOf {
  const known = new Map<Peer, Map<readonly PartitionWrite[], Version | undefined>>()
  return (peer, write) => {
    let ofPeer = known.get(peer)
    if (ofPeer === undefined) known.set(peer, (ofPeer = new Map()))
    if (!ofPeer.has(write.ofKey)) ofPeer.set(write.ofKey, versionOf(peer, write))
    return ofPeer.get(write.ofKey)
  }
}

/** The version of a write's key in a peer's copy. */
function versionOf(peer: Peer, { key, name }: PartitionWrite): Version | undefined {
  const table = peer.collections.find(name)?.replica.table
  const slot = table?.slotOf(key)
  if (table === undefined || slot === undefined) return undefined
  const [hlc, sequence] = [table.hlc(slot), table.sequence(slot)]
  const removes = isRemove(name, table.deleted(slot))
  return { hlc, sequence, replicaId: peer.collections.ids.id(table.writer(slot)), removes }
}

/** Whether a peer stands on a floor below which a write is that has ended. */
export function hasPurged(peer: Peer, { endsAtMs, hlc, name, reissued, replicaId, sequence }: PartitionWrite): boolean {
  const floor = peer.collections.find(name)?.replica.floor
  if (floor === undefined || floor.isEmpty || endsAtMs > floor.dateMs) return false
  // Its dot is that of the peer that has issued it.
  if (reissued) return floor.dateMs >= wallFromHlc(hlc)
  const below = floor.seenOfId(replicaId)
  if (below === undefined) return false
  return (
    sequence <= below.head ||
    below.ranges.some((first, at) => at % 2 === 0 && first <= sequence && sequence <= below.ranges[at + 1]!)
  )
}

/**
 * Whether a version that is older than a purged delete may be there all the same: it was made by a peer without a copy, and no copy knew
 * of it when the delete was purged. Then it counts as new. So does a write of a peer that was forgotten afterwards, if only its own copy
 * knew of it: purging does not wait for that peer.
 */
export function isNewAfter(purged: PartitionWrite, version: Version): boolean {
  const write = purged.ofKey.find((each) => isSame(each, version))
  if (write === undefined) return false
  // Peers with a history of their own wait for none of those with the other one.
  if (write.origin !== purged.origin) return true
  const seenAtMs = write.forgotten ? write.seenElsewhereAtMs : write.seenAtMs
  const isUnseen = seenAtMs > purged.purgedAtMs - PURGE_LATE_MAX_MS
  return isUnseen && (write.hinted || write.reissued || write.forgotten)
}

function isSame(write: PartitionWrite, version: Version): boolean {
  return write.reissued ? write.hlc === version.hlc : compareVersions(write, version) === 0
}

/** Records since when copies know of a write, and have purged it. */
function noticeCopies(write: PartitionWrite, witnesses: readonly Witness[], nowMs: number, versions: VersionsOf): void {
  if (write.seenAtMs === Infinity && witnesses.some(({ peer }) => hasSeen(peer, write, versions)))
    write.seenAtMs = nowMs
  if (write.seenElsewhereAtMs === Infinity && write.seenAtMs < Infinity) {
    const others = witnesses.filter(({ peer }) => peer.peerId !== peerIdOf(write.machine))
    if (others.some(({ peer }) => hasSeen(peer, write, versions))) write.seenElsewhereAtMs = nowMs
  }
  if (write.endsAtMs === Infinity || write.purgedAtMs < Infinity) return
  if (witnesses.some(({ peer }) => hasPurged(peer, write))) write.purgedAtMs = nowMs
}

function hasSeen(peer: Peer, write: PartitionWrite, versions: VersionsOf): boolean {
  // Its writer may have a copy that is not whole.
  if (write.hinted && peer.peerId === peerIdOf(write.machine)) return false
  const replica = peer.collections.find(write.name)?.replica
  if (replica === undefined) return false
  const version = versions(peer, write)
  if (version !== undefined && isSame(write, version)) return true
  const writer = peer.collections.ids.indexOf(write.replicaId)
  return !write.reissued && writer !== undefined && replica.vector.has(writer, write.sequence)
}

/** Whether a peer has a write, or a later version of its key, as a hint. */
function hasHint({ hints }: Witness, write: PartitionWrite): boolean {
  const version = hints.get(`${copyKey(write.name)} ${write.key}`)
  return version !== undefined && isAtLeast(version, write)
}

export function hasWrite(witness: Witness, write: PartitionWrite): boolean {
  return hasRow(witness.peer, write) || hasHint(witness, write)
}

export function isAtLeast(version: Version, write: PartitionWrite): boolean {
  // Two removes have the date of the add that they remove: after either it is gone, and no later one is.
  if (version.removes && write.removes && version.hlc === write.hlc) return true
  return write.reissued ? version.hlc >= write.hlc : compareVersions(version, write) >= 0
}
