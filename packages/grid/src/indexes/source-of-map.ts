import type { Partition } from '@gossipgrid/core'
import type { Pump } from '../runtime/write-path.ts'
import { GatheredEntries } from './gathered-entries.ts'
import type { EntrySource } from './entry-source.ts'
import { SlotEntries } from './slot-entries.ts'

/** The entries of a map, as the map knows them. */
export interface MapEntriesView {
  readonly layout: {
    readonly gathers: boolean
    place(rowKey: string): { readonly key: string }
  }
  readonly schema: object | undefined
  keys(): Iterable<string>
  content(key: string): Uint8Array | undefined
  isHidden(key: string): boolean
  refresh(): void
}

/** The entries of one partition of a map, as indexes and queries read them. */
export function sourceOfMap(pump: Pump, partition: Partition, stored: MapEntriesView): EntrySource {
  const { replica } = partition
  const { layout, schema } = stored
  const refresh = (): void => stored.refresh()
  if (layout.gathers)
    return new GatheredEntries({
      keys: () => stored.keys(),
      content: (key) => stored.content(key),
      observe: (changed) => {
        replica.observe({ changedSlot: (slot) => changed(layout.place(replica.table.key(slot)).key) })
      },
      refresh,
      afterStep: (call) => pump.afterStep(call),
    })
  return new SlotEntries({
    partition,
    wallMs: () => pump.wallMs,
    refresh,
    isHidden: (key) => schema !== undefined && stored.isHidden(key),
  })
}
