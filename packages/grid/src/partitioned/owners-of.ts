import { GridError } from '@gossipgrid/core'
import type { CollectionDescriptor, OwnerShare, OwnerState, Peer } from '@gossipgrid/core'
import { checkKey } from '../batches/checks.ts'
import { Places } from './places.ts'

/** See `Grid.owners`. */
export function ownersOf(peer: Peer, name: string, key: string): readonly OwnerState[] {
  checkKey(key)
  const descriptor = partitionedCollection(peer, name)
  return descriptor === undefined ? [] : peer.partitions.owners(new Places(descriptor).of(key))
}

/** The same without a key: see `Grid.owners`. */
export function sharesOf(peer: Peer, name: string): readonly OwnerShare[] {
  const descriptor = partitionedCollection(peer, name)
  return descriptor === undefined ? [] : peer.partitions.shares(descriptor.name)
}

/** Undefined where there is no such collection. */
function partitionedCollection(peer: Peer, name: string): CollectionDescriptor | undefined {
  const { dropped } = peer.collections
  const descriptor = peer.partitions.registered(dropped.current(name))
  if (descriptor !== undefined) return descriptor
  const others = [...peer.collections].filter(({ title }) => title === name)
  if (others.length > 0 && others.every(({ descriptor: { mode } }) => mode === 'replicated'))
    throw new GridError('COLLECTION_MISMATCH', `'${name}' is not partitioned: every peer has all of it`)
  return undefined
}
