import type { Grid, Receipt, WriteOptions } from 'gossipgrid'
import { GridError } from 'gossipgrid'
import { fromTagged } from '../formats/json/tagged-json.ts'

/** A counter or a set: one of its own, or the one under a key. */
export interface Place {
  readonly collection: string
  readonly key: string | undefined
}

/** What is there after a write; no receipt if there was nothing to write. */
export interface Changed {
  readonly value: unknown
  readonly receipt: Receipt | undefined
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
