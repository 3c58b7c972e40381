import type { IR } from '@tanstack/db'
import { pathOf } from './row-test.ts'

type Expression = IR.BasicExpression

/** A condition in the language of grid queries. */
export type GridWhere = Readonly<Record<string, unknown>>

/** All rows: what an expression becomes that has no counterpart. */
const ALL: GridWhere = {}

/**
 * A condition that holds for every row for which the expression is true, and maybe for others: TanStack DB filters what it gets. Values
 * are compared with values of their own type. `keyField` is no field of the stored values, so nothing is asked about it.
 */
export function whereTrue(expression: Expression, keyField: string | undefined): GridWhere {
  return translated(expression, true, keyField)
}

/** The keys of all rows for which the expression can be true. Undefined if it does not name them. */
export function keysNamedBy(expression: Expression | undefined, keyField: string | undefined): string[] | undefined {
  if (expression?.type !== 'func') return undefined
  const { name, args } = expression
  if (name === 'and') {
    for (const each of args) {
      const keys = keysNamedBy(each, keyField)
      if (keys !== undefined) return keys
    }
    return undefined
  }
  if (name !== 'eq' && name !== 'in') return undefined
  const [field, operand] = fieldFirst(args)
  if (field === undefined || operand === undefined) return undefined
  const path = pathOf(field)
  if (path.length !== 1 || (path[0] !== '$key' && path[0] !== keyField)) return undefined
  const values: readonly unknown[] = name === 'eq' ? [operand.value] : Array.isArray(operand.value) ? operand.value : []
  return [...new Set(values.filter((value) => typeof value === 'string'))]
}

/** `holds`: where the expression is true; otherwise where it is false, which is not the same as where it is not true. */
function translated(expression: Expression, holds: boolean, keyField: string | undefined): GridWhere {
  if (expression.type !== 'func') return ALL
  const { name, args } = expression
  if (name === 'not') return args.length === 1 ? translated(args[0]!, !holds, keyField) : ALL
  if (name === 'and' || name === 'or') {
    const parts = args.map((each) => translated(each, holds, keyField))
    return (name === 'and') === holds ? all(parts) : any(parts)
  }
  const [field, operand, isMirrored] = fieldFirst(args)
  const fieldName = field === undefined ? undefined : nameOf(field, keyField)
  if (fieldName === undefined) return ALL
  if (name === 'isNull' || name === 'isUndefined') return nothingThere(fieldName, name, holds)
  if (operand === undefined) return ALL
  // A comparison with nothing is neither true nor false.
  if ((operand.value === null || operand.value === undefined) && COMPARING.has(name))
    return { [fieldName]: { $in: [] } }
  return holds
    ? comparison(fieldName, isMirrored ? (MIRRORED[name] ?? name) : name, operand.value)
    : denied(fieldName, isMirrored ? (MIRRORED[name] ?? name) : name, operand.value)
}

const COMPARING: ReadonlySet<string> = new Set(['eq', 'gt', 'gte', 'lt', 'lte'])
const MIRRORED: Readonly<Record<string, string>> = { gt: 'lt', gte: 'lte', lt: 'gt', lte: 'gte' }
const DENIED: Readonly<Record<string, string>> = { gt: 'lte', gte: 'lt', lt: 'gte', lte: 'gt' }

function comparison(name: string, operator: string, value: unknown): GridWhere {
  switch (operator) {
    case 'eq':
      return isScalar(value) ? { [name]: equal([value]) } : ALL
    case 'in':
      return Array.isArray(value) && value.every((each) => each === null || isScalar(each))
        ? { [name]: equal(value.filter((each) => each !== null)) }
        : ALL
    case 'gt':
    case 'gte':
    case 'lt':
    case 'lte':
      return isScalar(value) ? { [name]: { [`$${operator}`]: value } } : ALL
    case 'like': {
      const start = typeof value === 'string' ? /^[^%_]*/.exec(value)![0] : ''
      return start === '' ? ALL : { [name]: { $startsWith: start } }
    }
    default:
      return ALL
  }
}

function denied(name: string, operator: string, value: unknown): GridWhere {
  // A field that is not equal may be an array with an element that is.
  if (operator === 'eq' && isScalar(value) && !isTime(value))
    return any([{ [name]: { $ne: value } }, { [`${name}.0`]: { $exists: true } }])
  const opposite = DENIED[operator]
  return opposite === undefined ? ALL : comparison(name, opposite, value)
}

function nothingThere(name: string, operator: string, holds: boolean): GridWhere {
  // On the way to a deeper field there may be an array, which the two languages see with different eyes.
  if (name.includes('.')) return ALL
  if (holds) return operator === 'isNull' ? { [name]: null } : { [name]: { $exists: false } }
  if (operator === 'isUndefined') return { [name]: { $exists: true } }
  return any([{ [name]: { $exists: false } }, { [name]: { $ne: null } }, { [`${name}.0`]: { $exists: true } }])
}

/** TanStack DB takes a date and its milliseconds for equal, and we do not. */
function equal(values: readonly unknown[]): unknown {
  const both = values.flatMap((value) => {
    if (value instanceof Date) return [value, value.getTime()]
    return isTime(value) ? [value, new Date(value as number)] : [value]
  })
  return both.length === 1 ? both[0] : { $in: both }
}

function isTime(value: unknown): boolean {
  return value instanceof Date || (Number.isInteger(value) && Math.abs(value as number) <= 8.64e15)
}

function all(parts: readonly GridWhere[]): GridWhere {
  const real = parts.filter((part) => part !== ALL)
  return real.length === 0 ? ALL : real.length === 1 ? real[0]! : { $and: real }
}

function any(parts: readonly GridWhere[]): GridWhere {
  if (parts.length === 0 || parts.includes(ALL)) return ALL
  return parts.length === 1 ? parts[0]! : { $or: parts }
}

/** What queries compare with, and TanStack DB does in the same way. */
function isScalar(value: unknown): boolean {
  if (value instanceof Date) return !Number.isNaN(value.getTime())
  if (typeof value === 'number') return !Number.isNaN(value)
  return typeof value === 'string' || typeof value === 'bigint' || typeof value === 'boolean'
}

/** The field and the constant of a comparison. `isMirrored`: the constant stands in front. */
function fieldFirst(
  args: readonly Expression[],
): readonly [field: IR.PropRef | undefined, operand: IR.Value | undefined, isMirrored: boolean] {
  const [one, other] = args
  if (one?.type === 'ref' && (other === undefined || other.type === 'val')) return [one, other, false]
  if (one?.type === 'val' && other?.type === 'ref') return [other, one, true]
  return [undefined, undefined, false]
}

/** The dotted name of a field that values have. Undefined for one that the language of queries cannot name. */
export function nameOf(field: IR.PropRef, keyField: string | undefined): string | undefined {
  const path = pathOf(field)
  const isPlain = path.every(
    (part) => part !== '' && part !== '__proto__' && !part.includes('.') && !part.startsWith('$'),
  )
  return path.length > 0 && isPlain && path[0] !== keyField ? path.join('.') : undefined
}
