import { GridError } from '@gossipgrid/core'
import type { Known } from '@gossipgrid/core'
import { checkKind, checkWord } from '../batches/checks.ts'
import { nextTurn, paced } from '../flow/pacing.ts'
import { checkAborted } from '../runtime/waiting.ts'
import type { Pump } from '../runtime/write-path.ts'
import { READ_OPTIONS, checkReadOptions, reached } from './after-token.ts'
import type { ReadOptions } from './after-token.ts'

/** Which entries to iterate over. */
export interface EntriesOptions extends ReadOptions {
  /** Only keys that start with this text. */
  readonly prefix?: string
  /** Sorted by key, as JavaScript compares text. Without it they come in no particular order, and sooner. */
  readonly orderBy?: 'key'
  /** Only keys after this one, with `orderBy: 'key'`: pass the last key of a page to get the next page. */
  readonly afterKey?: string
}

const ENTRIES_OPTIONS: Known<EntriesOptions> = { ...READ_OPTIONS, prefix: true, orderBy: true, afterKey: true }

/** Walks through a collection, after the write that the options name. `steps` is called at the first step. Throws `INVALID_OPTION`. */
export function walkAfter<Result>(
  pump: Pump,
  options: ReadOptions,
  steps: () => Iterable<Result | undefined>,
): AsyncGenerator<Result, void, undefined> {
  checkReadOptions(options, READ_OPTIONS)
  return walk(pump, options, () => paced(steps(), () => check(pump, options)))
}

/** The same by key, with what `show` returns for each. `keys` is called at the first step. */
export function walkKeys<Shown>(
  pump: Pump,
  options: EntriesOptions,
  keys: () => Iterable<string>,
  show: (key: string) => Shown | undefined,
): AsyncGenerator<Shown, void, undefined> {
  checkReadOptions(options, ENTRIES_OPTIONS)
  const { prefix = '', orderBy, afterKey } = options
  checkKind('prefix', prefix, 'text')
  checkKind('afterKey', afterKey, 'text')
  checkWord('orderBy', orderBy, ['key'])
  if (afterKey !== undefined && orderBy === undefined)
    throw new GridError('INVALID_OPTION', "afterKey needs orderBy: 'key'")
  function* wanted(): Generator<string | undefined, void, undefined> {
    for (const key of keys())
      yield key.startsWith(prefix) && (afterKey === undefined || key > afterKey) ? key : undefined
  }
  function* shown(): Generator<Shown | undefined, void, undefined> {
    for (const key of wanted()) yield key === undefined ? undefined : show(key)
  }
  return walk(pump, options, () => {
    const checked = (): void => check(pump, options)
    return orderBy === undefined ? paced(shown(), checked) : inOrder(wanted(), show, checked)
  })
}

async function* walk<Result>(
  pump: Pump,
  options: ReadOptions,
  steps: () => AsyncIterable<Result>,
): AsyncGenerator<Result, void, undefined> {
  await reached(pump, options)
  yield* steps()
}

async function* inOrder<Shown>(
  keys: Iterable<string | undefined>,
  show: (key: string) => Shown | undefined,
  checked: () => void,
): AsyncGenerator<Shown, void, undefined> {
  const { orderedKeys } = await import('./ordered-keys.ts')
  const turn = (): Promise<void> => nextTurn().then(checked)
  for await (const key of orderedKeys(keys, turn)) {
    checked()
    const result = show(key)
    if (result !== undefined) yield result
  }
  checked()
}

function check(pump: Pump, { signal }: ReadOptions): void {
  pump.checkOpen()
  checkAborted(signal)
}
