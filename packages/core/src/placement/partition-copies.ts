import type { CopiedCollection, CopyGroup } from '../wire/copy-groups.ts'
import type { PartitionName } from '../wire/block.ts'
import { partitionCountOf } from '../wire/partition-numbers.ts'

/** The copies of one collection. */
interface Copied {
  readonly name: string
  readonly kind: number
  readonly partitions: number
  readonly present: Uint8Array
  readonly whole: Uint8Array
  origin: string
}

/**
 * The partitions of which a peer has copies, and which of these copies are whole. A copy is whole if it descends from a
 * complete history, the one that a registration of the collection has begun: its `origin`.
 */
export class PartitionCopies {
  readonly #byName = new Map<string, Copied[]>()

  /** What a peer has said of its copies. */
  static of(groups: readonly CopyGroup[]): PartitionCopies {
    const copies = new PartitionCopies()
    copies.take(groups)
    return copies
  }

  /** Takes over what was said of the copies of some collections. */
  take(groups: readonly CopyGroup[]): void {
    for (const { partitions, present, whole, collections } of groups) {
      for (const collection of collections) {
        const copied = this.#add(collection, partitions)
        present.forEach((byte, at) => {
          copied.present[at] = byte
          copied.whole[at] = byte & whole[at]!
        })
      }
    }
  }

  has(name: PartitionName): boolean {
    const copied = this.#find(name)
    return copied !== undefined && hasBit(copied.present, indexOf(name))
  }

  /** Whether there is a copy that descends from a complete history of this registration. */
  isWhole(name: PartitionName, origin: string): boolean {
    const copied = this.#find(name)
    return copied !== undefined && copied.origin === origin && hasBit(copied.whole, indexOf(name))
  }

  /** A copy begins, which is not whole. Changes nothing if there is one. */
  begin(name: PartitionName, origin: string): void {
    if (this.has(name)) return
    const { collection, kind, partition } = name
    const copied = this.#find(name) ?? this.#add({ name: collection, kind, origin }, partitionCountOf(partition))
    setBit(copied.present, indexOf(name))
  }

  /** The copy is whole. What was whole by another registration is so no longer. Changes nothing if there is no copy. */
  complete(name: PartitionName, origin: string): void {
    const copied = this.#find(name)
    if (copied === undefined || !this.has(name)) return
    if (copied.origin !== origin) copied.whole.fill(0)
    copied.origin = origin
    setBit(copied.whole, indexOf(name))
  }

  /** Sets the bits of the whole copies that descend from a registration. */
  addWhole({ collection, kind, partition }: PartitionName, origin: string, bits: Uint8Array): void {
    const copied = this.#find({ collection, kind, partition })
    if (copied?.origin !== origin) return
    for (const [at, byte] of copied.whole.entries()) bits[at]! |= byte
  }

  drop(name: PartitionName): void {
    const copied = this.#find(name)
    if (copied === undefined) return
    clearBit(copied.present, indexOf(name))
    clearBit(copied.whole, indexOf(name))
    if (copied.present.some((byte) => byte !== 0)) return
    const rest = this.#byName.get(copied.name)!.filter((each) => each !== copied)
    if (rest.length > 0) this.#byName.set(copied.name, rest)
    else this.#byName.delete(copied.name)
  }

  /** The partitions of which there are copies. */
  *names(): Generator<PartitionName, void, undefined> {
    for (const { name: collection, kind, partitions, present } of [...this.#byName.values()].flat()) {
      for (let index = 0; index < partitions; index++) {
        if (hasBit(present, index)) yield { collection, kind, partition: partitions + index }
      }
    }
  }

  /** All of them, for another peer: collections with the same copies in one group. In an order that depends on nothing else. */
  groups(): CopyGroup[] {
    const groups = new Map<string, CopyGroup & { readonly collections: CopiedCollection[] }>()
    const all = [...this.#byName.values()].flat().toSorted((a, b) => (orderOf(a) < orderOf(b) ? -1 : 1))
    for (const { name, kind, origin, partitions, present, whole } of all) {
      const bits = `${partitions} ${present.join()} ${whole.join()}`
      const known = groups.get(bits)
      if (known !== undefined) known.collections.push({ name, kind, origin })
      else
        groups.set(bits, {
          partitions,
          present: present.slice(),
          whole: whole.slice(),
          collections: [{ name, kind, origin }],
        })
    }
    return [...groups.values()]
  }

  #find({ collection, kind, partition }: PartitionName): Copied | undefined {
    const partitions = partitionCountOf(partition)
    return this.#byName.get(collection)?.find((each) => each.kind === kind && each.partitions === partitions)
  }

  #add({ name, kind, origin }: CopiedCollection, partitions: number): Copied {
    const sizeBytes = partitions >> 3
    const [present, whole] = [new Uint8Array(sizeBytes), new Uint8Array(sizeBytes)]
    const copied: Copied = { name, kind, partitions, present, whole, origin }
    const named = this.#byName.get(name)
    if (named === undefined) this.#byName.set(name, [copied])
    else {
      const same = named.findIndex((each) => each.kind === kind && each.partitions === partitions)
      named.splice(same < 0 ? named.length : same, 1, copied)
    }
    return copied
  }
}

function indexOf({ partition }: PartitionName): number {
  return partition - partitionCountOf(partition)
}

function orderOf({ name, kind, partitions }: Copied): string {
  return `${name} ${kind} ${partitions}`
}

export function hasBit(bits: Uint8Array, index: number): boolean {
  return (bits[index >> 3]! & (1 << (index & 7))) !== 0
}

export function setBit(bits: Uint8Array, index: number): void {
  bits[index >> 3]! |= 1 << (index & 7)
}

function clearBit(bits: Uint8Array, index: number): void {
  bits[index >> 3]! &= ~(1 << (index & 7))
}
