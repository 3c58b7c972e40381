import { wallFromHlc } from 'gossipgrid'
import type {
  PartitionChange,
  PartitionFeed,
  PartitionReceipt,
  PartitionWriteOptions,
  PartitionedMap,
} from 'gossipgrid'
import type { AskedMap, FollowRequest, MapLink } from './map-link.ts'
import type { RowForm } from './row-form.ts'
import { updated } from './write-mutations.ts'
import type { RowMutation } from './write-mutations.ts'

/** How long a collection waits for parts of a map that do not answer, as reads do. */
const ANSWER_MAX_MS = 10_000
const LOOK_INTERVAL_MS = 50

/** A map whose entries are with other peers: it is followed by the changes that its owners tell. */
export class PartitionedLink implements MapLink {
  readonly isRemote: boolean = true
  readonly #map: PartitionedMap<object>
  readonly #prefix: string
  /** By key, when this collection has written it: older changes that come later are not shown. */
  readonly #written = new Map<string, number>()
  #feed: PartitionFeed<PartitionChange<object>> | undefined
  #changed: FollowRequest['changed'] = () => undefined

  constructor(map: PartitionedMap<object>, prefix: string) {
    this.#map = map
    this.#prefix = prefix
  }

  get asked(): AskedMap {
    return this.#map
  }

  get isComplete(): boolean {
    return this.#feed?.complete ?? true
  }

  async follow({ initial, changed, failed, signal }: FollowRequest): Promise<void> {
    this.#changed = changed
    const feed = this.#map.changes({ initial, prefix: this.#prefix, signal })
    this.#feed = feed
    let hasEnded = false
    void this.#takeAll(feed)
      .catch((error: unknown) => signal.aborted || failed(error))
      .finally(() => (hasEnded = true))
    const endMs = performance.now() + ANSWER_MAX_MS
    while (!feed.complete && !hasEnded && !signal.aborted && performance.now() < endMs)
      await new Promise((resolve) => setTimeout(resolve, LOOK_INTERVAL_MS))
  }

  /** Key by key: no peer has all of them. Rejects with the first reason if some were refused; the others stand. */
  async write(form: RowForm, mutations: readonly RowMutation[], options: PartitionWriteOptions = {}): Promise<void> {
    const written = await Promise.allSettled(mutations.map((mutation) => this.#write(form, mutation, options)))
    for (const each of written) if (each.status === 'rejected') throw each.reason
  }

  /** Versions merge at the owners, which report no conflict. */
  onConflict(): void {}

  async #write(form: RowForm, mutation: RowMutation, options: PartitionWriteOptions): Promise<void> {
    const { key, modified, changes, type } = mutation as RowMutation & { readonly key: string }
    if (type === 'delete') return this.#show(key, undefined, await this.#map.delete(key, options))
    const whole = form.valueOf(modified)
    if (type === 'update') {
      let value = whole
      const change = (current: object | undefined): object => (value = updated(current, whole, form.valueOf(changes)))
      try {
        const receipt = await this.#map.update(key, change, options)
        return this.#show(key, value, receipt)
      } catch (error) {
        // It cannot be read now, and is written as the user sees it.
        if ((error as { code?: unknown }).code !== 'OWNERS_UNREACHABLE') throw error
      }
    }
    this.#show(key, whole, await this.#map.set(key, whole, options))
  }

  /** The owners will tell of it too, later. */
  #show(key: string, value: object | undefined, receipt: PartitionReceipt | undefined): void {
    if (receipt !== undefined) this.#written.set(key, wallFromHlc(receipt.version.hlc))
    this.#changed(key, value)
  }

  async #takeAll(feed: PartitionFeed<PartitionChange<object>>): Promise<void> {
    for await (const change of feed) this.#take(change)
  }

  #take({ at, key, local, type, value }: PartitionChange<object>): void {
    if (type === 'reset') return
    const writtenAtMs = this.#written.get(key)
    if (writtenAtMs !== undefined) {
      if (at !== undefined && at.getTime() < writtenAtMs) return
      this.#written.delete(key)
      // It is shown already.
      if (local && at?.getTime() === writtenAtMs) return
    }
    this.#changed(key, value)
  }
}
