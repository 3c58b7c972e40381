/**
 * Objects of another realm: a frame, a `vm` context, a test environment such as jsdom. They have prototypes of their own,
 * so that `instanceof` and a comparison of prototypes do not recognise them. Checks that the language itself offers do.
 */

const { hasOwnProperty: hasOwn } = Object.prototype
const { getTime } = Date.prototype
const typedArrayTag = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype) as object,
  Symbol.toStringTag,
)!.get!

/** Types of values that can be stored. */
export type ForeignKind = 'object' | 'array' | 'bytes' | 'date'

/** The type of an object of another realm; undefined for an instance of a class, and for all else that cannot be stored. */
export function foreignKind(value: object): ForeignKind | undefined {
  const prototype = Object.getPrototypeOf(value) as object | null
  if (prototype === null) return undefined
  if (isObjectPrototype(prototype)) return 'object'
  if (typedArrayTag.call(value) === 'Uint8Array') return 'bytes'
  const parent = Object.getPrototypeOf(prototype) as object | null
  if (parent === null || !isObjectPrototype(parent)) return undefined
  // The prototype of arrays is itself an array. The prototype of a class that extends Array is not.
  if (Array.isArray(value)) return Array.isArray(prototype) ? 'array' : undefined
  return isDate(value) && hasOwn.call(prototype, 'getTime') ? 'date' : undefined
}

/** Whether a value is a plain object, of any realm. */
export function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype || foreignKind(value) === 'object'
}

/** A copy in objects of this realm. All parts of the value must be storable. */
export function inThisRealm(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return Array.from(value, inThisRealm)
  if (typedArrayTag.call(value) === 'Uint8Array') return new Uint8Array(value as Uint8Array)
  if (isDate(value)) return new Date(getTime.call(value))
  const copy = Object.create(null) as Record<string, unknown>
  for (const [key, part] of Object.entries(value)) copy[key] = inThisRealm(part)
  return copy
}

function isDate(value: object): value is Date {
  try {
    getTime.call(value as Date)
    return true
  } catch {
    return false
  }
}

/** Whether an object is the root of a realm's prototypes. The prototype of a class has another one above it. */
function isObjectPrototype(prototype: object): boolean {
  return Object.getPrototypeOf(prototype) === null && hasOwn.call(prototype, 'isPrototypeOf')
}
