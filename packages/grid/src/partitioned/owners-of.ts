import { GridError } from '@gossipgrid/core'
import type { OwnerState, Peer } from '@gossipgrid/core'
import { checkKey } from '../batches/checks.ts'
import { Places } from './places.ts'

/** See `Grid.owners`. */
export function ownersOf(peer: Peer, name: string, key: string): readonly OwnerState[] {
  checkKey(key)
  const { dropped } = peer.collections
  const descriptor = peer.partitions.registered(dropped.current(name))
  if (descriptor !== undefined) return peer.partitions.owners(new Places(descriptor).of(key))
  const others = [...peer.collections].filter(({ title }) => title === name)
  if (others.length > 0 && others.every(({ descriptor: { mode } }) => mode === 'replicated'))
    throw new GridError('COLLECTION_MISMATCH', `'${name}' is not partitioned: every peer has all of it`)
  return []
}
