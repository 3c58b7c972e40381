import { GridError } from '@gossipgrid/core'
import { requireKind } from '../batches/checks.ts'
import type { WritePath } from '../runtime/write-path.ts'

/** See `Grid.forget`. */
export async function forget(writes: WritePath, peerId: string): Promise<boolean> {
  requireKind('peerId', peerId, 'text')
  if (peerId !== writes.pump.peer.peerId) return writes.forget(peerId)
  throw new GridError(
    'INVALID_OPTION',
    'a peer cannot forget itself: close it for good with leave(), or let another peer forget it after it has ended',
  )
}
