import { isPlainObject, shown } from '@gossipgrid/core'
import { pathOf } from '../ordering/paths.ts'
import type { Path } from '../ordering/paths.ts'
import { checkBareName } from './checks/check-name.ts'
import type { PlainWhere } from './checks/check-name.ts'
import { invalidQuery } from './checks/invalid-query.ts'
import type { RowOrder } from './row-order.ts'

export const SELECTED_FIELDS_MAX = 32

/** The fields that rows are to have: a tree of names. An empty one stands for the whole value there. */
export interface Selection {
  readonly names: readonly string[]
  readonly tree: FieldTree
}

type FieldTree = ReadonlyMap<string, FieldTree>

/** Throws `INVALID_QUERY`. */
export function checkSelect(select: unknown): Selection | undefined {
  if (select === undefined) return undefined
  const list: readonly unknown[] = Array.isArray(select) ? select : [select]
  if (list.length === 0 || list.length > SELECTED_FIELDS_MAX)
    throw invalidQuery('select', `the names of 1 to ${SELECTED_FIELDS_MAX} fields, not ${shown(select)}`)
  for (const name of list) checkBareName(name, 'select')
  const names = [...new Set(list as readonly string[])]
  return { names, tree: treeOf(names.map(pathOf)) }
}

function treeOf(paths: readonly Path[]): FieldTree {
  const below = new Map<string, Path[]>()
  for (const [first, ...rest] of paths) {
    const known = below.get(first!)
    if (known === undefined) below.set(first!, [rest])
    else known.push(rest)
  }
  // The whole of a field includes what is named within it.
  return new Map(
    [...below].map(([name, rests]) => [name, rests.some((rest) => rest.length === 0) ? new Map() : treeOf(rests)]),
  )
}

/** A value with the selected fields only; all of it without a selection. What is no object has no fields, and stays as it is. */
export function selected(value: unknown, selection: Selection | undefined): unknown {
  return selection === undefined ? value : pick(value, selection.tree)
}

function pick(value: unknown, tree: FieldTree): unknown {
  if (tree.size === 0) return value
  if (Array.isArray(value)) return value.map((each) => pick(each, tree))
  if (!isPlainObject(value)) return value
  const picked: Record<string, unknown> = {}
  for (const [name, below] of tree)
    if (Object.hasOwn(value, name)) picked[name] = pick((value as Readonly<Record<string, unknown>>)[name], below)
  return picked
}

/** The fields of a value that say whether it is selected, where its row is, and what of it is shown. */
export function neededFields(selection: Selection, where: PlainWhere, { parts }: RowOrder): Selection {
  const names = new Set<string>()
  for (const name of [...selection.names, ...namesIn(where), ...parts.map((part) => part.name)])
    names.add(pathOf(name)[0]!)
  return { names: [...names], tree: new Map([...names].map((name) => [name, new Map()])) }
}

function* namesIn(where: PlainWhere): Generator<string, void, undefined> {
  for (const [name, condition] of Object.entries(where)) {
    if (name !== '$and' && name !== '$or') yield name
    else for (const each of condition as readonly PlainWhere[]) yield* namesIn(each)
  }
}
