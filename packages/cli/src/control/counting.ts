import type {
  Grid,
  PartitionReceipt,
  PartitionWriteOptions,
  PartitionedCounters,
  PartitionedSet,
  Receipt,
  WriteOptions,
} from 'gossipgrid'
import { GridError } from 'gossipgrid'
import { CliError } from '../cli-error.ts'
import { fromTagged } from '../formats/json/tagged-json.ts'
import { partitionedKeyed } from './partitioned/partitioned-keyed.ts'
import type { PartitionedKeyed } from './partitioned/partitioned-keyed.ts'

/** A counter or a set: one of its own, or the one under a key. */
export interface Place {
  readonly collection: string
  readonly key: string | undefined
}

/** What is there after a write; no receipt if there was nothing to write. */
export interface Changed {
  readonly value: unknown
  readonly receipt: Pick<Receipt, 'durable'> | undefined
}

/** Counts up, or down with a number below zero. */
export async function countBy(
  grid: Grid,
  { collection, key }: Place,
  by: unknown,
  options: WriteOptions,
): Promise<Changed> {
  if (!Number.isSafeInteger(by)) throw new GridError('INVALID_VALUE', 'a counter counts by a whole number')
  const number = by as number
  const keyed = partitionedKeyed(grid, collection)
  if (keyed !== undefined && keyed.kind === 'counters')
    return countPartitioned(keyed.counters, { collection, key }, number, options)
  const receipt = await grid.transact((batch) => {
    if (key === undefined) {
      const counter = batch.counter(collection)
      return number < 0 ? counter.decrement(-number) : counter.increment(number)
    }
    const counters = batch.counters(collection)
    return number < 0 ? counters.decrement(key, -number) : counters.increment(key, number)
  }, options)
  const value = key === undefined ? grid.counter(collection).value : await grid.counters(collection).get(key)
  return { value: value ?? 0, receipt }
}

/** Adds and removes elements, given as tagged JSON. */
export async function changeElements(
  grid: Grid,
  { collection, key }: Place,
  body: unknown,
  options: WriteOptions,
): Promise<Changed> {
  const { add = [], remove = [] } = (body ?? {}) as { readonly add?: unknown; readonly remove?: unknown }
  if (!Array.isArray(add) || !Array.isArray(remove)) {
    throw new GridError('INVALID_VALUE', 'what to add and to remove are arrays of elements')
  }
  const keyed = partitionedKeyed(grid, collection)
  if (keyed !== undefined && keyed.kind !== 'counters') {
    const elements = { add: add.map(fromTagged), remove: remove.map(fromTagged) }
    return keyed.kind === 'set' && key === undefined
      ? changeSet(keyed.set, elements, ownersOnly(options))
      : changeSetUnder(keyed, { collection, key }, elements, ownersOnly(options))
  }
  const receipt = await grid.transact((batch) => {
    for (const element of remove) {
      if (key === undefined) batch.set(collection).delete(fromTagged(element))
      else batch.sets(collection).remove(key, fromTagged(element))
    }
    for (const element of add) {
      if (key === undefined) batch.set(collection).add(fromTagged(element))
      else batch.sets(collection).add(key, fromTagged(element))
    }
  }, options)
  if (key !== undefined) return { value: grid.sets(collection).peek(key) ?? [], receipt }
  const value: unknown[] = []
  for await (const element of grid.set(collection).values()) value.push(element)
  return { value, receipt }
}

interface Elements {
  readonly add: readonly unknown[]
  readonly remove: readonly unknown[]
}

async function countPartitioned(
  counters: PartitionedCounters,
  { collection, key }: Place,
  number: number,
  options: WriteOptions,
): Promise<Changed> {
  if (key === undefined) throw keyMissing(collection)
  const wanted = ownersOnly(options)
  const receipt =
    number < 0 ? await counters.decrement(key, -number, wanted) : await counters.increment(key, number, wanted)
  return { value: (await counters.get(key)) ?? 0, receipt }
}

async function changeSet(
  set: PartitionedSet<unknown>,
  { add, remove }: Elements,
  options: PartitionWriteOptions,
): Promise<Changed> {
  let receipt: PartitionReceipt | undefined
  for (const element of remove) receipt = (await set.delete(element, options)) ?? receipt
  for (const element of add) receipt = await set.add(element, options)
  const value: unknown[] = []
  for await (const element of set.values()) value.push(element)
  return { value, receipt }
}

async function changeSetUnder(
  keyed: PartitionedKeyed,
  { collection, key }: Place,
  { add, remove }: Elements,
  options: PartitionWriteOptions,
): Promise<Changed> {
  if (keyed.kind !== 'sets' || key === undefined) throw keyMissing(collection)
  const { sets } = keyed
  let receipt: PartitionReceipt | undefined
  for (const element of remove) receipt = (await sets.remove(key, element, options)) ?? receipt
  for (const element of add) receipt = await sets.add(key, element, options)
  return { value: (await sets.get(key)) ?? [], receipt }
}

/** Throws `INVALID_OPTION`: partitioned collections count owners, and not peers. */
function ownersOnly({ copies, timeoutMs }: WriteOptions): PartitionWriteOptions {
  if (typeof copies === 'object')
    throw new GridError('INVALID_OPTION', 'a partitioned collection counts owners: pass --copies and not --peers')
  return { ...(copies === undefined ? {} : { copies }), ...(timeoutMs === undefined ? {} : { timeoutMs }) }
}

function keyMissing(collection: string): CliError {
  const advice = 'A key is needed for counters and sets under keys, and none for a set of its own.'
  return CliError.fromPeer(
    'COLLECTION_MISMATCH',
    `'${collection}' is partitioned, and is read and written otherwise`,
    advice,
  )
}
