import type { CollectionDescriptor } from '../kinds/kinds.ts'
import { kindCode } from '../kinds/kinds.ts'
import { PARTITION_NUMBERS_MAX } from '../limits.ts'
import type { PeerId } from '../ports.ts'
import { nameKey } from '../wire/block.ts'
import type { PartitionName } from '../wire/block.ts'
import type { CopyGroup } from '../wire/copy-groups.ts'
import { isReplicated, partitionCountOf } from '../wire/partition-numbers.ts'
import { PartitionCopies } from './partition-copies.ts'
import { EligibleMembers } from './eligible-members.ts'
import type { EligibleMember } from './eligible-members.ts'
import { EVERYONE } from './placement.ts'
import type { Audience, SharedPartitions, Placement } from './placement.ts'

/** A member that is able to own partitions, as the registry has it. */
export interface OwnerRecord extends EligibleMember {
  /** It has a directory: what it holds survives its end. */
  readonly durable: boolean
  /** It hands over what it holds, and leaves. */
  readonly draining: boolean
  /** It was silent for so long that others take its place. */
  readonly away: boolean
  /** It will not come back: what only it has is given up. */
  readonly forgotten?: boolean
  /** What it publishes. */
  readonly copies: PartitionCopies
}

/** What a peer that is able to own has of a partitioned collection, as the registry says it. */
export interface OwnerShare {
  /** The peer. */
  readonly peerId: PeerId
  /** Its failure domain; '' where it names none. */
  readonly zone: string
  /** Its relative capacity: with 0 it owns nothing. */
  readonly weight: number
  /**
   * `owner`; `away`: it was silent for so long that others have taken its place; `leaving`: it hands over what it has; `forgotten`: it
   * was declared as gone for good.
   */
  readonly state: 'owner' | 'away' | 'leaving' | 'forgotten'
  /** Partitions that it owns. */
  readonly owned: number
  /** Owned ones of which it has a whole copy. The rest is on its way there. */
  readonly whole: number
  /** Copies of partitions that others own, until those have them. */
  readonly handingOver: number
}

/** A partitioned collection, as its earliest registration has it. */
export interface PartitionedCollection {
  readonly descriptor: CollectionDescriptor
  /** Identifies the registration, with which the history of all whole copies begins. */
  readonly origin: string
}

/** What placement follows from: rows of the registry, and nothing else. */
export interface Registrations {
  /** Differs if the rows do. Sixteen hexadecimal digits. */
  readonly view?: string
  readonly collections: readonly PartitionedCollection[]
  readonly owners: readonly OwnerRecord[]
}

const NO_PEERS: ReadonlySet<PeerId> = new Set()
const NO_VIEW = '0'.repeat(16)

/**
 * Each partition belongs to some peers, its owners, which rendezvous hashing chooses from the registered members. What is
 * replicated belongs to everyone. Two peers with the same registry agree on every owner.
 */
export class Rendezvous implements Placement {
  /** The copies of this peer. Its class changes them; what depends on them is not kept here. */
  readonly copies: PartitionCopies = new PartitionCopies()
  readonly peerId: PeerId
  #collections: ReadonlyMap<string, PartitionedCollection> = new Map()
  #records: ReadonlyMap<PeerId, OwnerRecord> = new Map()
  #published: ReadonlyMap<PeerId, PartitionCopies> = new Map()
  /** The copies that peers have shown in sessions, until their rows in the registry say so. */
  readonly #shown = new Map<PeerId, PartitionCopies>()
  #durable = new EligibleMembers([])
  /** Members without a directory: they own what is left when those with one are too few. */
  #memory = new EligibleMembers([])
  #durableOwners: ReadonlySet<PeerId> = new Set()
  #expected: ReadonlySet<PeerId> = new Set()
  /** By number of the partition and number of owners. */
  readonly #owners = new Map<number, ReadonlySet<PeerId>>()
  /** By partition: the other peers that publish a copy which is not whole. */
  readonly #partial = new Map<string, readonly PeerId[]>()
  /** By partition: the other peers that publish a whole copy. */
  readonly #whole = new Map<string, readonly PeerId[]>()
  readonly #audiences = new Map<string, ReadonlySet<PeerId>>()
  #changes = 0
  #audienceChanges = 0
  #view = NO_VIEW

  constructor(peerId: PeerId) {
    this.peerId = peerId
  }

  /** The registry says something else. */
  update({ collections, owners, view = NO_VIEW }: Registrations): void {
    this.#view = view
    this.#collections = new Map(collections.map((each) => [collectionKey(each.descriptor), each]))
    this.#records = new Map(owners.map((owner) => [owner.peerId, owner]))
    this.#published = new Map(owners.map(({ peerId, copies }) => [peerId, copies]))
    this.#shown.clear()
    // The last one keeps what it has, though it drains.
    const staying = owners.some(({ draining, weight }) => !draining && weight > 0)
      ? owners.filter(({ draining }) => !draining)
      : owners
    const present = staying.filter(({ away }) => !away)
    // After a split, the peers of each side have marked those of the other.
    const eligible = present.some(({ weight }) => weight > 0) ? present : staying
    this.#durable = new EligibleMembers(eligible.filter(({ durable }) => durable))
    this.#memory = new EligibleMembers(eligible.filter(({ durable }) => !durable))
    this.#durableOwners = new Set(owners.filter(({ durable }) => durable).map(({ peerId }) => peerId))
    this.#expected = new Set(present.map(({ peerId }) => peerId))
    this.#owners.clear()
    this.#partial.clear()
    this.#whole.clear()
    this.#clearAudiences()
    this.#changes += 1
  }

  /** A peer has shown its copies in a session. */
  shown(peer: PeerId, copies: PartitionCopies): void {
    this.#shown.set(peer, copies)
    this.#clearAudiences()
  }

  /** What peers have shown that are no neighbours any more is forgotten. */
  forgetShown(isNeighbour: (peer: PeerId) => boolean): void {
    for (const peer of this.#shown.keys()) {
      if (isNeighbour(peer)) continue
      this.#shown.delete(peer)
      this.#clearAudiences()
    }
  }

  /** The same at two peers that see the same owners. */
  get view(): string {
    return this.#view
  }

  /** Changes whenever an audience may have. */
  get audienceChanges(): number {
    return this.#audienceChanges
  }

  /** How often the registry has said something else, since opening. */
  get changes(): number {
    return this.#changes
  }

  /** All partitioned collections that are registered. */
  get collections(): Iterable<PartitionedCollection> {
    return this.#collections.values()
  }

  /** The registration of the collection that a partition belongs to, if there is one. */
  registered(name: PartitionName): PartitionedCollection | undefined {
    return this.#collections.get(partitionsKey(name))
  }

  holds(name: PartitionName): boolean {
    return isReplicated(name) || this.copies.has(name)
  }

  owners(name: PartitionName): Audience {
    if (isReplicated(name)) return EVERYONE
    const ownersMax = this.registered(name)?.descriptor.owners
    if (ownersMax === undefined) return NO_PEERS
    const key = ownersMax * PARTITION_NUMBERS_MAX + name.partition
    let owners = this.#owners.get(key)
    if (owners === undefined) {
      const durable = this.#durable.ownersOf(name.partition, ownersMax)
      const memory = this.#memory.ownersOf(name.partition, ownersMax - durable.length)
      owners = new Set([...durable, ...memory].map(({ peerId }) => peerId))
      this.#owners.set(key, owners)
    }
    return owners
  }

  shares(name: PartitionName, peer: PeerId): boolean {
    return isReplicated(name) || (this.copies.has(name) && this.isPublishedBy(name, peer))
  }

  /** The owners, and all peers that publish a copy while an owner is not whole yet. */
  audience(name: PartitionName): Audience {
    if (isReplicated(name)) return EVERYONE
    const key = nameKey(name)
    let audience = this.#audiences.get(key)
    if (audience === undefined) this.#audiences.set(key, (audience = this.#audience(name)))
    return audience
  }

  hasAllOwn(name: PartitionName): boolean {
    return isReplicated(name) || this.isWhole(name)
  }

  /** Whether the copy of this peer is whole. */
  isWhole(name: PartitionName): boolean {
    const origin = this.registered(name)?.origin
    return origin !== undefined && this.copies.isWhole(name, origin)
  }

  /** Whether all owners publish whole copies. */
  isHandedOver(name: PartitionName): boolean {
    const owners = this.owners(name) as ReadonlySet<PeerId>
    const origin = this.registered(name)?.origin
    if (origin === undefined || owners.size === 0) return false
    return [...owners].every((peer) => this.#published.get(peer)?.isWhole(name, origin) === true)
  }

  publishes(): readonly CopyGroup[] | undefined {
    const groups = this.copies.groups()
    return groups.length > 0 ? groups : undefined
  }

  sharedWith(peer: PeerId, published: readonly CopyGroup[] = []): SharedPartitions {
    const theirs = PartitionCopies.of(published)
    const own = PartitionCopies.of(this.copies.groups())
    this.shown(peer, theirs)
    return (name) => isReplicated(name) || (own.has(name) && theirs.has(name))
  }

  /** What the registry says of a peer that is able to own; undefined if it is none. */
  record(peer: PeerId): OwnerRecord | undefined {
    return this.#records.get(peer)
  }

  /** Whether another peer publishes a copy, or has shown one. */
  isPublishedBy(name: PartitionName, peer: PeerId): boolean {
    return this.#published.get(peer)?.has(name) === true || this.#shown.get(peer)?.has(name) === true
  }

  /** A peer is able to own, and neither away nor about to leave: it will be in reach again. */
  isExpected(peer: PeerId): boolean {
    return this.#expected.has(peer)
  }

  /** A peer is able to own, and has a directory. */
  isDurable(peer: PeerId): boolean {
    return this.#durableOwners.has(peer)
  }

  /** The other peers that publish a whole copy. */
  wholeHolders(name: PartitionName): readonly PeerId[] {
    const key = nameKey(name)
    let holders = this.#whole.get(key)
    if (holders === undefined) this.#whole.set(key, (holders = this.#wholeHolders(name)))
    return holders
  }

  #wholeHolders(name: PartitionName): PeerId[] {
    const origin = this.registered(name)?.origin
    if (origin === undefined) return []
    const peers = [...this.#published].filter(([, copies]) => copies.isWhole(name, origin)).map(([peer]) => peer)
    return peers.filter((peer) => peer !== this.peerId)
  }

  /** Whether this peer has a whole copy of every partition that it owns. */
  get hasOwnWhole(): boolean {
    for (const { descriptor } of this.#collections.values()) {
      for (const name of namesOf(descriptor)) if (this.#owns(name, this.peerId) && !this.isWhole(name)) return false
    }
    return true
  }

  /**
   * The shares of all peers that are able to own, in the order of their ids; none of a collection that is not registered. Looks at every
   * partition for each of them.
   */
  ownerShares(collection: string): OwnerShare[] {
    const registered = [...this.#collections.values()].find(({ descriptor }) => descriptor.name === collection)
    if (registered === undefined) return []
    const names = namesOf(registered.descriptor)
    const shares = [...this.#records.values()].map((record): OwnerShare => {
      const { peerId, weight, zone } = record
      const copies = peerId === this.peerId ? this.copies : record.copies
      const counts = { owned: 0, whole: 0, handingOver: 0 }
      for (const name of names) {
        if (this.#owns(name, peerId)) {
          counts.owned += 1
          if (copies.isWhole(name, registered.origin)) counts.whole += 1
        } else if (copies.has(name)) counts.handingOver += 1
      }
      return { peerId, zone, weight, state: stateOf(record), ...counts }
    })
    return shares.toSorted((a, b) => (a.peerId < b.peerId ? -1 : 1))
  }

  #owns(name: PartitionName, peer: PeerId): boolean {
    return (this.owners(name) as ReadonlySet<PeerId>).has(peer)
  }

  /** A bit for each partition of which this peer has a whole copy, or a registered one publishes one; of those that `counts` says. */
  wholeSomewhere(
    { descriptor, origin }: PartitionedCollection,
    counts: (peer: PeerId) => boolean = () => true,
  ): Uint8Array {
    const bits = new Uint8Array(descriptor.partitions >> 3)
    const name = { collection: descriptor.name, kind: kindCode(descriptor), partition: descriptor.partitions }
    this.copies.addWhole(name, origin, bits)
    for (const [peer, copies] of this.#published)
      if (peer !== this.peerId && counts(peer)) copies.addWhole(name, origin, bits)
    return bits
  }

  /** The registered peers that publish a copy, this one included, in the order of their ids: deletes are kept until all have them. */
  publishers(name: PartitionName): PeerId[] {
    const published = [...this.#published].filter(([, copies]) => copies.has(name))
    return published.flatMap(([peer]) => (this.#records.get(peer)?.forgotten === true ? [] : [peer])).toSorted()
  }

  /** Whether a peer has shown a copy that the registry does not know of yet. */
  isShownOnly(name: PartitionName): boolean {
    return [...this.#shown].some(([peer, copies]) => copies.has(name) && this.#published.get(peer)?.has(name) !== true)
  }

  /** The other peers that publish a copy which is not whole. */
  partialHolders(name: PartitionName): readonly PeerId[] {
    const key = nameKey(name)
    let holders = this.#partial.get(key)
    if (holders === undefined) this.#partial.set(key, (holders = this.#partialHolders(name)))
    return holders
  }

  #partialHolders(name: PartitionName): PeerId[] {
    const origin = this.registered(name)?.origin ?? ''
    const partial = [...this.#published].filter(([, copies]) => copies.has(name) && !copies.isWhole(name, origin))
    return partial.map(([peer]) => peer).filter((peer) => peer !== this.peerId)
  }

  #clearAudiences(): void {
    this.#audiences.clear()
    this.#audienceChanges += 1
  }

  #audience(name: PartitionName): ReadonlySet<PeerId> {
    const owners = this.owners(name) as ReadonlySet<PeerId>
    if (this.isHandedOver(name)) return owners
    const audience = new Set(owners)
    for (const peers of [this.#published, this.#shown]) {
      for (const [peer, copies] of peers) if (copies.has(name)) audience.add(peer)
    }
    return audience
  }
}

function collectionKey(descriptor: CollectionDescriptor): string {
  return `${kindCode(descriptor)} ${descriptor.partitions} ${descriptor.name}`
}

function partitionsKey({ collection, kind, partition }: PartitionName): string {
  return `${kind} ${partitionCountOf(partition)} ${collection}`
}

function namesOf(descriptor: CollectionDescriptor): PartitionName[] {
  const { name: collection, partitions } = descriptor
  const kind = kindCode(descriptor)
  return Array.from({ length: partitions }, (_, index) => ({ collection, kind, partition: partitions + index }))
}

function stateOf({ away, draining, forgotten }: OwnerRecord): OwnerShare['state'] {
  if (forgotten === true) return 'forgotten'
  if (draining) return 'leaving'
  return away ? 'away' : 'owner'
}
