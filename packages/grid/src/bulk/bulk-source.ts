import { GridError, shown } from '@gossipgrid/core'

/** The source of a method that takes many entries: a collection in memory, or an iterable that yields one after another. */
export type BulkSource<Entry> = Iterable<Entry> | AsyncIterable<Entry>

/** True if all entries are in memory: for an array, a `Map`, a `Set`. */
export function isCollection<Entry>(source: BulkSource<Entry>): source is Iterable<Entry> {
  if (isAsync(source)) return false
  const { length, size } = source as { length?: unknown; size?: unknown }
  return typeof (length ?? size) === 'number'
}

export function isAsync<Entry>(source: BulkSource<Entry>): source is AsyncIterable<Entry> {
  return typeof (source as Partial<AsyncIterable<Entry>>)[Symbol.asyncIterator] === 'function'
}

/** A collection whose entries are listed when it is iterated over. */
export function listed<Entry>(list: () => Iterable<Entry>): Iterable<Entry> {
  return { length: 0, [Symbol.iterator]: () => list()[Symbol.iterator]() } as Iterable<Entry>
}

/** Throws `INVALID_OPTION` if the source cannot be iterated over, and for text, which iterates over its letters. */
export function checkSource(source: unknown, what: string): void {
  const { [Symbol.iterator]: sync, [Symbol.asyncIterator]: async } = Object(source) as Partial<
    Iterable<unknown> & AsyncIterable<unknown>
  >
  if (typeof source !== 'string' && (typeof sync === 'function' || typeof async === 'function')) return
  const words = `pass ${what} as an array or another iterable, or as an async iterable`
  throw new GridError('INVALID_OPTION', `${words}, not as ${shown(source)}`)
}
