import type { Conflict, GridMap, WriteOptions } from 'gossipgrid'
import type { AskedMap, FollowRequest, MapLink } from './map-link.ts'
import type { RowForm } from './row-form.ts'
import { writeMutations } from './write-mutations.ts'
import type { RowMutation } from './write-mutations.ts'

/** So many rows are given to the collection in one turn of the event loop. */
export const ROWS_PER_TURN = 2000

/** A map that this peer has all of. */
export class ReplicatedLink implements MapLink {
  readonly isRemote: boolean = false
  readonly isComplete: boolean = true
  readonly #map: GridMap<object>

  constructor(map: GridMap<object>) {
    this.#map = map
  }

  get asked(): AskedMap {
    return this.#map
  }

  async follow({ initial, changed, signal }: FollowRequest): Promise<void> {
    const changedSince = new Set<string>()
    let isLoading = initial
    this.#map.on(
      'change',
      ({ key, value }) => {
        if (isLoading) changedSince.add(key)
        changed(key, value)
      },
      { signal },
    )
    if (!initial) return
    let rows = 0
    for await (const [key, value] of this.#map.entries({ signal })) {
      // What has changed meanwhile is newer.
      if (!changedSince.has(key)) changed(key, value)
      if (++rows % ROWS_PER_TURN === 0) await new Promise((resolve) => setTimeout(resolve, 0))
    }
    isLoading = false
  }

  write(form: RowForm, mutations: readonly RowMutation[], options: WriteOptions | undefined): Promise<void> {
    return writeMutations(this.#map, form, mutations, options)
  }

  onConflict(listener: (conflict: Conflict<object>) => unknown, signal: AbortSignal): void {
    this.#map.on('conflict', listener, { signal })
  }
}
