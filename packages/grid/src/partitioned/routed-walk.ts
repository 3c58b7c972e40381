import { checkAborted } from '../runtime/waiting.ts'
import type { Coverage } from './changes/partition-changes.ts'
import type { PartitionWalkOptions } from './partition-options.ts'
import type { Places } from './places.ts'
import type { FoundPage, RoutedReads } from './routed-reads.ts'

/** What is walked through. */
export interface WalkedEntries<Entry> {
  readonly places: Places
  readonly reads: RoutedReads
  /** The entries of a page that readers see. */
  shown(page: FoundPage): readonly Entry[]
}

/** Where to go on: behind a key of a partition, by its number from 0. */
export interface WalkStart {
  readonly partition: number
  readonly after: string
  /** Gets the numbers of partitions that were not answered for. */
  readonly unanswered: number[]
}

/** Keys of one page. */
const PAGE_KEYS_MAX = 512
/** Partitions that are asked for before their turn. */
const AHEAD_MAX = 16
/** How long further partitions are waited for, once one was not answered for. */
const AFTER_MISS_MS = 2000

/**
 * Walks through the entries of a partitioned map: one partition after another, each in the order of its keys, and each from one
 * whole owner. The next few partitions are asked for meanwhile, so memory has a bound. `covered` is called at the end.
 */
export async function* walkEntries<Entry>(
  entries: WalkedEntries<Entry>,
  options: PartitionWalkOptions,
  covered: (coverage: Coverage) => void,
  start: WalkStart = { partition: 0, after: '', unanswered: [] },
): AsyncGenerator<Entry, void, undefined> {
  const { prefix = '', partial, signal } = options
  const { places, reads } = entries
  const names = places.withPrefix(prefix).filter((name) => places.indexOf(name) >= start.partition)
  const { unanswered } = start
  let next = 0
  const afterIn = (place: number): string => (places.indexOf(names[place]!) === start.partition ? start.after : '')
  const ahead: Promise<FoundPage | undefined>[] = []
  const ask = (place: number, after: string): Promise<FoundPage | undefined> => {
    const timeoutMs =
      unanswered.length === 0 ? options.timeoutMs : Math.min(options.timeoutMs ?? Infinity, AFTER_MISS_MS)
    const range = { after, prefix, keysMax: PAGE_KEYS_MAX }
    const asked = reads.page(names[place]!, range, { ...options, ...(timeoutMs === undefined ? {} : { timeoutMs }) })
    // Its turn comes later, or never.
    asked.catch(() => undefined)
    return asked
  }
  for (const [place, name] of names.entries()) {
    while (next < names.length && ahead.length < AHEAD_MAX) ahead.push(ask(next, afterIn(next++)))
    let page = await ahead.shift()!
    for (;;) {
      if (page === undefined) {
        unanswered.push(places.indexOf(name))
        break
      }
      const following: Promise<FoundPage | undefined> | undefined =
        page.end === undefined ? undefined : ask(place, page.end)
      for (const entry of entries.shown(page)) {
        checkAborted(signal)
        yield entry
      }
      if (following === undefined) break
      page = await following
    }
  }
  covered({ complete: unanswered.length === 0, unanswered })
  if (unanswered.length > 0 && partial !== true)
    throw reads.unreachable(`entries in ${unanswered.length} of ${places.all.length} partitions`, options)
}
