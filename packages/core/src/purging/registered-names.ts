import { descriptorOf, kindCode } from '../kinds/kinds.ts'
import type { CollectionDescriptor } from '../kinds/kinds.ts'
import { OWNERS_MAX } from '../limits.ts'
import type { ReplicaId } from '../versions/replica-ids.ts'
import { isPartitionCount } from '../wire/partition-numbers.ts'
import type { RegistryRows } from './registry-rows.ts'

const COLLECTION = 'collection/'
/** Kind, and for a partitioned collection the partitions, the owners and the replica id of the peer that registered it. */
const SHAPE = /^(\d{1,3})(?:-(\d{1,5})-(\d{1,2})-([0-9a-f]{16}))?$/

/** The registration of a name. */
export interface RegisteredName {
  /** The key of its row, which says everything. */
  readonly key: string
  readonly name: string
  /** Undefined for a kind of a later version, and for a malformed row. */
  readonly descriptor: CollectionDescriptor | undefined
  /** Tells registrations of one partitioned collection from each other; '' for a replicated one. */
  readonly origin: string
  readonly hlc: number
  readonly replicaId: string
}

/** Which collection each name stands for: the earliest registration decides. Rows of the registry. */
export class RegisteredNames {
  readonly #rows: RegistryRows

  constructor(rows: RegistryRows) {
    this.#rows = rows
  }

  all(): RegisteredName[] {
    return this.#rows.of(COLLECTION).map(({ key, hlc, replicaId }) => {
      const slash = key.indexOf('/', COLLECTION.length)
      const name = key.slice(slash + 1)
      return { key, name, ...readShape(name, key.slice(COLLECTION.length, slash)), hlc, replicaId }
    })
  }

  /** The earliest registration of each name. */
  earliest(): ReadonlyMap<string, RegisteredName> {
    const earliest = new Map<string, RegisteredName>()
    for (const registered of this.all()) {
      const known = earliest.get(registered.name)
      if (known === undefined || isEarlier(registered, known)) earliest.set(registered.name, registered)
    }
    return earliest
  }

  unregister({ key }: RegisteredName): void {
    this.#rows.delete(key)
  }

  /** Registers a collection; `origin` is the replica id of this peer. */
  register(descriptor: CollectionDescriptor, origin: ReplicaId): void {
    const { mode, name, owners, partitions } = descriptor
    const shape = mode === 'partitioned' ? `-${partitions}-${owners}-${origin}` : ''
    this.#rows.write(`${COLLECTION}${kindCode(descriptor)}${shape}/${name}`, {})
  }
}

/** The same for all registrations of one collection. */
export function collectionKeyOf(descriptor: CollectionDescriptor): string {
  return `${kindCode(descriptor)} ${descriptor.partitions} ${descriptor.owners} ${descriptor.name}`
}

/** What the key of a row says of a collection between its prefix and the name. */
function readShape(name: string, text: string): Pick<RegisteredName, 'descriptor' | 'origin'> {
  const [, kind, partitions, owners, origin] = SHAPE.exec(text) ?? []
  if (kind === undefined) return { descriptor: undefined, origin: '' }
  if (partitions === undefined || origin === undefined)
    return { descriptor: descriptorOf(name, Number(kind)), origin: '' }
  const shape = { partitions: Number(partitions), owners: Number(owners) }
  const makesSense = isPartitionCount(shape.partitions) && shape.owners >= 1 && shape.owners <= OWNERS_MAX
  return { descriptor: makesSense ? descriptorOf(name, Number(kind), shape) : undefined, origin }
}

function isEarlier(a: RegisteredName, b: RegisteredName): boolean {
  return a.hlc < b.hlc || (a.hlc === b.hlc && a.replicaId < b.replicaId)
}
