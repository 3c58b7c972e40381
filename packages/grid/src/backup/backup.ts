import { IMAGE_FORMAT, stateImage } from '@gossipgrid/core'
import type { ImageBlob } from '@gossipgrid/core'
import type { Grid } from '../grid.ts'
import { nextTurn } from '../flow/next-turn.ts'
import { checkAborted, orAborted } from '../runtime/waiting.ts'

/** What a backup is of. */
export interface BackupOrigin {
  /** The name of the grid. */
  readonly grid: string
  /** The peer that the backup was taken of. */
  readonly peerId: string
  /** The format of its blobs. */
  readonly storeFormat: number
  /** Entries at its start, tombstones included. */
  readonly entries: number
}

/** What the backup of a grid is of, at this moment. */
export function backupOrigin(grid: Grid): BackupOrigin {
  const { peer } = grid.pump
  let entries = 0
  for (const { replica } of peer.collections.partitions()) entries += replica.table.size
  return { grid: grid.name, peerId: peer.peerId, storeFormat: IMAGE_FORMAT, entries }
}

/**
 * The blobs of a backup: all that this peer holds, of every kind of collection, with tombstones, dots, vectors and purge floors.
 * `restoreBlobs` makes a store of them. The grid goes on meanwhile. Returns false if a purge or a drop has disturbed the backup: take
 * another one. Ends only when all of it is durable here. Throws `CLOSED` and `ABORTED`.
 */
export async function* backupBlobs(
  grid: Grid,
  options: { readonly signal?: AbortSignal } = {},
): AsyncGenerator<ImageBlob, boolean, undefined> {
  const { pump } = grid
  const image = stateImage(pump.peer)
  for (let step = image.next(); ; step = image.next()) {
    pump.checkOpen()
    checkAborted(options.signal)
    if (step.done === true) {
      await untilDurable(grid, options.signal)
      return step.value
    }
    if (step.value !== undefined) yield step.value
    await new Promise<void>((resolve) => nextTurn(resolve))
  }
}

/** A crash would give out the dots of writes again that are not durable yet. */
async function untilDurable({ pump }: Grid, signal: AbortSignal | undefined): Promise<void> {
  const durable = new Promise<void>((resolve) => pump.peer.commit.whenDurable(resolve))
  pump.step({ type: 'tick' })
  await orAborted(durable, signal === undefined ? pump.closing : AbortSignal.any([signal, pump.closing]))
}
