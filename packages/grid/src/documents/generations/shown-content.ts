import * as Y from 'yjs'

/** Any shared type of Yjs. */
export type SharedType = Y.Doc['share'] extends Map<string, infer Type> ? Type : never

/** A character or an embed of a text, with its formats. */
interface Piece {
  readonly value: unknown
  readonly attributes: unknown
}

/** The shared types of one Y.Doc, with the corresponding types of another one. */
export type SameTypes = Map<SharedType, SharedType>

/** True if two shared types, or plain values, have the same visible content. Adds the corresponding types to `same`, at all depths. */
export function showSame(a: unknown, b: unknown, same: SameTypes = new Map()): boolean {
  if (isType(a) && isType(b)) {
    same.set(b, a)
    if (isUntyped(a)) return true
    if (!isSameKind(a, b)) return false
    return (
      showSame(listOf(a), listOf(b), same) &&
      showSame(Object.fromEntries(entriesOf(a)), Object.fromEntries(entriesOf(b)), same)
    )
  }
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return Object.is(a, b)
  if (a.constructor !== b.constructor || isType(a) || isType(b)) return false
  const [keys, others] = [Object.keys(a), Object.keys(b)]
  if (keys.length !== others.length) return false
  return keys.every((key) => Object.hasOwn(b, key) && showSame(a[key as never], b[key as never], same))
}

/**
 * Edits a shared type so that it has the same visible content as another one. Changes only the differences, so that editors
 * change as little as possible. To be called within a transaction.
 */
export function bringTo(type: SharedType, goal: SharedType): void {
  if (isUntyped(type) || !isSameKind(type, goal)) return
  bringEntriesTo(type, goal)
  const [list, goals] = [listOf(type), listOf(goal)]
  const { start, end, goalEnd } = differenceOf(list, goals)
  const [before, after] = [list.slice(start, end), goals.slice(start, goalEnd)]
  if (before.length === after.length && before.every((each, i) => isSameKind(each, after[i]))) {
    for (const [i, each] of before.entries()) bringTo(each as SharedType, after[i] as SharedType)
  } else if (type instanceof Y.Text) replaceText(type, list as Piece[], start, end, after as Piece[])
  else {
    const sequence = type as unknown as Y.Array<unknown>
    sequence.delete(start, end - start)
    sequence.insert(start, after.map(copyOf))
  }
}

function replaceText(
  text: Y.Text,
  pieces: readonly Piece[],
  start: number,
  end: number,
  after: readonly Piece[],
): void {
  const runs: { insert: unknown; attributes: unknown }[] = []
  for (const { value, attributes } of after) {
    const last = runs.at(-1)
    const isMore =
      typeof value === 'string' && typeof last?.insert === 'string' && showSame(last.attributes, attributes)
    if (isMore) last.insert = `${String(last.insert)}${value}`
    else runs.push({ insert: copyOf(value), attributes })
  }
  const retain = lengthOf(pieces.slice(0, start))
  const removed = lengthOf(pieces.slice(start, end))
  const delta: unknown[] = retain === 0 ? [] : [{ retain }]
  text.applyDelta([...delta, ...runs, ...(removed === 0 ? [] : [{ delete: removed }])])
}

function bringEntriesTo(type: SharedType, goal: SharedType): void {
  const [entries, goals] = [entriesOf(type), entriesOf(goal)]
  const { set, remove } = entryMethods(type)
  for (const [key, value] of entries) {
    const wanted = goals.get(key)
    if (isSameKind(value, wanted)) bringTo(value as SharedType, wanted as SharedType)
    else if (!goals.has(key)) remove(key)
  }
  for (const [key, wanted] of goals) {
    const value = entries.get(key)
    if (!isSameKind(value, wanted) && !(entries.has(key) && showSame(value, wanted))) set(key, copyOf(wanted))
  }
}

function entryMethods(type: SharedType): { set(key: string, value: unknown): void; remove(key: string): void } {
  if (type instanceof Y.Map) return { set: (key, value) => type.set(key, value), remove: (key) => type.delete(key) }
  const element = type as unknown as Y.XmlElement
  return {
    set: (key, value) => element.setAttribute(key, value as string),
    remove: (key) => element.removeAttribute(key),
  }
}

/** The sequence of a type. For a text: its characters and embeds, with their formats. */
function listOf(type: SharedType): unknown[] {
  if (type instanceof Y.Text) {
    const delta = type.toDelta() as { readonly insert: unknown; readonly attributes?: unknown }[]
    return delta.flatMap(({ insert, attributes = {} }): Piece[] => {
      const values: unknown[] = typeof insert === 'string' ? Array.from(insert) : [insert]
      return values.map((value) => ({ value, attributes }))
    })
  }
  const values: unknown[] = []
  for (let item = type._start; item !== null; item = item.right) {
    if (!item.deleted && item.countable) for (const value of item.content.getContent()) values.push(value)
  }
  return values
}

function entriesOf(type: SharedType): Map<string, unknown> {
  const entries = new Map<string, unknown>()
  for (const [key, item] of type._map) {
    if (!item.deleted) entries.set(key, item.content.getContent()[item.length - 1])
  }
  return entries
}

/** The range in which two lists differ, after their common start and before their common end. */
function differenceOf(a: readonly unknown[], b: readonly unknown[]): { start: number; end: number; goalEnd: number } {
  let start = 0
  while (start < a.length && start < b.length && showSame(a[start], b[start])) start += 1
  let [end, goalEnd] = [a.length, b.length]
  while (end > start && goalEnd > start && showSame(a[end - 1], b[goalEnd - 1])) {
    end -= 1
    goalEnd -= 1
  }
  return { start, end, goalEnd }
}

function lengthOf(pieces: readonly Piece[]): number {
  return pieces.reduce((sum, { value }) => sum + (typeof value === 'string' ? value.length : 1), 0)
}

function isType(value: unknown): value is SharedType {
  return value instanceof Y.AbstractType
}

/** True for a root type that the application has not used yet: nothing is bound to it. */
function isUntyped(type: SharedType): boolean {
  return type.constructor === Y.AbstractType
}

function isSameKind(a: unknown, b: unknown): boolean {
  if (!isType(a) || !isType(b) || a.constructor !== b.constructor) return false
  const names = [a, b].map((type) => type as unknown as { readonly nodeName?: string; readonly hookName?: string })
  return names[0]!.nodeName === names[1]!.nodeName && names[0]!.hookName === names[1]!.hookName
}

function copyOf(value: unknown): unknown {
  return isType(value) ? value.clone() : value
}
