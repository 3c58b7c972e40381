import type { PartitionName, Peer, Row } from '@gossipgrid/core'
import type { Violation } from './checkers.ts'
import { witnessOf } from './partition-faults.ts'
import { hasPurged, hasRow, isAtLeast, isNewAfter } from './partition-ledger.ts'
import type { PartitionLedger, PartitionWrite } from './partition-ledger.ts'
import { copyKey, isOwner, originOf } from './partition-witness.ts'
import type { Witness } from './partition-witness.ts'
import { peerIdOf } from './peer-ids.ts'
import { compareVersions } from './peer-state.ts'
import type { Version } from './peer-state.ts'
import type { SimulatedPeer } from './simulated-peer.ts'

const PAGE_KEYS = 2
const NEVER: Version = { hlc: -1, sequence: 0, replicaId: '', removes: false }

/**
 * Reads, and checks what they find. A read may find no peer that can answer, and then says so. If it finds an answer, that has
 * every write that all owners had confirmed before, every write that its machine made in this life, and no older version than
 * the machine has read before.
 */
export class PartitionReads {
  answered = 0
  pages = 0
  unreachable = 0
  /** Copies that became whole, or were so again. */
  wholes = 0
  readonly #ledger: PartitionLedger
  readonly #machines: readonly SimulatedPeer[]
  readonly #violated: (violation: Violation) => void
  /** By machine, life and key: the latest version that was read. */
  readonly #seen = new Map<string, Version>()
  /** By machine, life and partition: the last key that was read there. */
  readonly #readUpTo = new Map<string, string>()
  /** By peer and partition: since when its copy has been whole. */
  readonly #wholeSinceMs = new Map<string, number>()
  /** By machine and life: the peers with which it has had a session. */
  readonly #met = new Map<string, Set<string>>()
  #old: ReadonlySet<PartitionWrite> = new Set()
  #count = 0

  constructor(ledger: PartitionLedger, machines: readonly SimulatedPeer[], violated: (violation: Violation) => void) {
    this.#ledger = ledger
    this.#machines = machines
    this.#violated = violated
  }

  /** A machine has had a session with another peer. */
  met({ index, life }: SimulatedPeer, neighbour: string): void {
    const met = this.#met.get(`${index} ${life}`)
    if (met === undefined) this.#met.set(`${index} ${life}`, new Set([neighbour]))
    else met.add(neighbour)
  }

  /** Notes which copies are whole. */
  look(witnesses: readonly Witness[], nowMs: number): void {
    const whole = new Set<string>()
    for (const { copies, peer } of witnesses)
      for (const [key, copy] of copies) if (copy.whole) whole.add(`${peer.peerId} ${key}`)
    for (const place of this.#wholeSinceMs.keys()) if (!whole.has(place)) this.#wholeSinceMs.delete(place)
    for (const place of whole) {
      if (this.#wholeSinceMs.has(place)) continue
      this.#wholeSinceMs.set(place, nowMs)
      this.wholes += 1
    }
  }

  /** After weeks, no reader remembers what it has read or written. */
  forget(): void {
    this.#seen.clear()
    this.#old = new Set(this.#ledger.writes)
  }

  /** Reads a key at all owners in reach, which mends those that are behind. What it finds was written so by an application. */
  readAll(machine: SimulatedPeer, name: PartitionName, key: string): void {
    const { peer } = machine
    if (peer === undefined) return
    const check = this.#expecting(machine, peer, name, (each) => each === key)
    peer.partitions.readAll({ name, key }, machine.clock.now(), ({ rows }) => {
      if (rows === undefined) {
        this.unreachable += 1
        return
      }
      check(() => rows)
      const made = rows.find(({ hlc }) => !this.#ledger.isDateOf(name, key, hlc))
      if (made !== undefined) this.#violated(`read: '${key}' of ${copyKey(name)} has a version that no peer wrote`)
    })
    machine.take({ type: 'tick' })
  }

  /** Reads a key, and every other time the next keys of its partition as well. */
  read(machine: SimulatedPeer, name: PartitionName, key: string): void {
    const { peer } = machine
    if (peer === undefined) return
    const check = this.#expecting(machine, peer, name, (each) => each === key)
    peer.partitions.read([{ name, key }], machine.clock.now(), ([found]) => {
      if (found!.rows === undefined) this.unreachable += 1
      else check(() => found!.rows!)
    })
    this.#count += 1
    if (this.#count % 2 === 0) this.#readPage(machine, peer, name)
    machine.take({ type: 'tick' })
  }

  /** Reads a few keys, those behind the ones that the machine read last. */
  #readPage(machine: SimulatedPeer, peer: Peer, name: PartitionName): void {
    const place = `${machine.index} ${machine.life} ${copyKey(name)}`
    const after = this.#readUpTo.get(place) ?? ''
    let end: string | undefined
    const check = this.#expecting(machine, peer, name, (key) => key > after && (end === undefined || key <= end))
    const query = { name, after, prefix: '', keysMax: PAGE_KEYS }
    peer.partitions.readPage(query, machine.clock.now(), (page) => {
      if (page === undefined) {
        this.unreachable += 1
        return
      }
      this.pages += 1
      end = page.end
      this.#readUpTo.set(place, end ?? '')
      const found = new Map(page.keys.map(({ key, rows }) => [key, rows]))
      check((key) => found.get(key) ?? [])
    })
  }

  /** What a machine must find of some keys, as things stand now: the returned function checks what it has found. */
  #expecting(
    { index, life }: SimulatedPeer,
    peer: Peer,
    name: PartitionName,
    isRead: (key: string) => boolean,
  ): (rowsOf: (key: string) => readonly Readonly<Row>[]) => void {
    const ofPartition = this.#ledger.writes.filter((write) => copyKey(write.name) === copyKey(name))
    const owedToAll = ofPartition.filter((write) => {
      return write.readable || (write.machine === index && write.life === life && !this.#old.has(write))
    })
    const wasAgreed = this.#agreedOrigin(name)
    const placeOf = (key: string): string => `${index} ${life} ${copyKey(name)} ${key}`
    const keys = [...new Set(ofPartition.map(({ key }) => key))]
    const seenBefore = new Map(keys.map((key) => [key, this.#seen.get(placeOf(key)) ?? NEVER]))
    // A peer that has met no other since it was started, and reaches none, answers from what it has.
    const isAlone = (): boolean => peer.neighbours.size === 0 && !this.#met.has(`${index} ${life}`)
    return (rowsOf) => {
      // Peers that were apart may each have registered the collection. Until they agree, what one side had may be missing.
      const isAgreed = ({ origin }: PartitionWrite): boolean =>
        origin === wasAgreed && origin === this.#agreedOrigin(name) && !isAlone()
      const isOwed = (write: PartitionWrite): boolean => !write.excused && (!write.readable || isAgreed(write))
      for (const key of keys.filter(isRead)) {
        this.answered += 1
        const [row] = rowsOf(key)
        const replicaId = row === undefined ? '' : peer.collections.ids.id(row.writer)
        const version = row === undefined ? NEVER : { ...NEVER, hlc: row.hlc, sequence: row.sequence, replicaId }
        const where = `'${key}' of ${copyKey(name)}`
        const missed = owedToAll.find(
          (each) =>
            each.key === key &&
            isOwed(each) &&
            !isAtLeast(version, each) &&
            !this.#isPurged(each, version) &&
            !(each.readable && this.#mayLack(peer, each)),
        )
        const why = missed?.readable === true ? 'which all owners had' : 'which it had written itself'
        if (missed !== undefined) this.#violated(`read: ${peer.peerId} misses a write to ${where}, ${why}`)
        const before = seenBefore.get(key)!
        const ofKey = this.#ledger.ofKey(name, key)
        if (
          compareVersions(version, before) < 0 &&
          !ofKey.some((each) => compareVersions(each, before) >= 0 && this.#isPurged(each, version))
        )
          this.#violated(`read: ${where} went back in time at ${peer.peerId}`)
        this.#seen.set(placeOf(key), version)
      }
    }
  }

  /**
   * An owner in a reader's reach may answer without a write: its copy was whole before the write was made, and it came back since. It
   * reaches no peer that has the write, and has had a session with none, but with owners that have nothing either. So it answers after
   * a while from what it has.
   */
  #mayLack(reader: Peer, write: PartitionWrite): boolean {
    const holders = this.#machines.filter((each) => each.life > 0 && hasRow(witnessOf(each).peer, write))
    const holderIds = new Set(holders.map(({ index }) => peerIdOf(index)))
    if (holderIds.size === 0) return false
    const isInReach = ({ neighbours, peerId }: Peer): boolean =>
      peerId === reader.peerId ||
      reader.neighbours.has(peerId) ||
      reader.neighbours.ids().some((id) => neighbours.has(id))
    return this.#machines.some(({ index, life, peer }) => {
      if (peer === undefined || !isInReach(peer) || !isOwner(peer, write.name)) return false
      const wholeSinceMs = this.#wholeSinceMs.get(`${peer.peerId} ${copyKey(write.name)}`) ?? Infinity
      const known = [peer.peerId, ...peer.neighbours.ids(), ...(this.#met.get(`${index} ${life}`) ?? [])]
      return wholeSinceMs < write.madeAtMs && !known.some((id) => holderIds.has(id))
    })
  }

  /** The registration of a collection that counts for all peers that are up; undefined if they do not agree. */
  #agreedOrigin(name: PartitionName): string | undefined {
    const origins = new Set(this.#machines.flatMap(({ peer }) => (peer === undefined ? [] : [originOf(peer, name)])))
    return origins.size === 1 ? [...origins][0] : undefined
  }

  /** Whether nothing, or something new, may be found in place of a write: it has ended, and is purged. */
  #isPurged(write: PartitionWrite, found: Version): boolean {
    const isGone = (each: PartitionWrite): boolean =>
      each.purgedAtMs < Infinity || this.#machines.some(({ peer }) => peer !== undefined && hasPurged(peer, each))
    const purged = write.ofKey.find((each) => isAtLeast(each, write) && isGone(each))
    return purged !== undefined && (found.hlc === NEVER.hlc || isNewAfter(purged, found))
  }
}
