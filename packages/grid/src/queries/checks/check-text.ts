import { GridError, checkKnown, isPlainObject, shown } from '@gossipgrid/core'
import type { TextIndexToOpen } from '../../indexes/map-text-index.ts'
import type { TextEngine } from '../../indexes/text-index.ts'
import { checkIndexNames } from './check-index.ts'
import { invalidQuery } from './invalid-query.ts'

const TEXT_MAX_BYTES = 1024
const OPTIONS = { engine: true, prefix: true, fuzzy: true, boost: true } as const

/** Throws `INVALID_QUERY` for the names of fields, and `INVALID_OPTION`. */
export function checkTextIndex(fields: unknown, options: unknown): TextIndexToOpen {
  const names = checkIndexNames(fields)
  const given: unknown = options ?? {}
  checkKnown(given as object, OPTIONS)
  const { engine, prefix = false, fuzzy = 0, boost = {} } = given as Readonly<Record<string, unknown>>
  if (typeof engine !== 'function')
    throw new GridError(
      'INVALID_OPTION',
      `engine: the class of the package minisearch, not ${shown(engine)}: npm install minisearch, and import MiniSearch from 'minisearch'`,
    )
  if (typeof prefix !== 'boolean') throw new GridError('INVALID_OPTION', `prefix: true or false, not ${shown(prefix)}`)
  if (typeof fuzzy !== 'number' || !(fuzzy >= 0 && fuzzy < 1))
    throw new GridError('INVALID_OPTION', `fuzzy: a number from 0 to less than 1, not ${shown(fuzzy)}`)
  return { names, engine: engine as TextEngine, prefix, fuzzy, boost: checkBoost(boost, names) }
}

function checkBoost(boost: unknown, names: readonly string[]): Readonly<Record<string, number>> {
  if (!isPlainObject(boost)) throw new GridError('INVALID_OPTION', `boost: an object, not ${shown(boost)}`)
  const checked = { ...boost } as Readonly<Record<string, unknown>>
  for (const [name, factor] of Object.entries(checked)) {
    if (!names.includes(name)) throw new GridError('INVALID_OPTION', `boost: ${shown(name)} is no field of the index`)
    if (typeof factor !== 'number' || !(factor > 0 && factor < Infinity))
      throw new GridError('INVALID_OPTION', `boost: a number above 0 for ${shown(name)}, not ${shown(factor)}`)
  }
  return checked as Readonly<Record<string, number>>
}

/** Takes `$text` out of the top level of `where`, so that the rest is a condition as everywhere. Throws `INVALID_QUERY`. */
export function withoutText(query: unknown): { readonly query: unknown; readonly words: string | undefined } {
  if (!isPlainObject(query)) return { query, words: undefined }
  // Read once: what is checked is what is run.
  const copy = { ...query } as Readonly<Record<string, unknown>>
  const { where } = copy
  if (!isPlainObject(where) || !Object.hasOwn(where, '$text')) return { query: copy, words: undefined }
  const { $text: words, ...rest } = where as Readonly<Record<string, unknown>>
  if (typeof words !== 'string' || words === '')
    throw invalidQuery('where.$text', `the words to look for, not ${shown(words)}`)
  if (words.length > TEXT_MAX_BYTES || new TextEncoder().encode(words).length > TEXT_MAX_BYTES)
    throw invalidQuery('where.$text', `larger than ${TEXT_MAX_BYTES / 1024} KiB`)
  return { query: { ...copy, where: rest }, words }
}

/** The error for `$text` where words cannot be looked for. */
export function noTextHere(place: string): GridError {
  return invalidQuery(
    place,
    '$text stands at the top level of where, in query, count, aggregate and explain of a replicated map',
  )
}
