import type { IR } from '@tanstack/db'

type Expression = IR.BasicExpression

/** True, false, or null for unknown, as in SQL; `maybe` for what only TanStack DB can tell. */
type Verdict = boolean | null | typeof MAYBE
const MAYBE = Symbol('maybe')

/** Whether a row may match a condition of TanStack DB. It matches for certain if this is so without functions that are not known here. */
export function mayMatch(where: Expression): (row: object) => boolean {
  return (row) => {
    const verdict = verdictOf(where, row)
    return verdict === true || verdict === MAYBE
  }
}

/** Whether a row matches: undefined if only TanStack DB can tell. */
export function surelyMatches(where: Expression | undefined, row: object): boolean | undefined {
  const verdict = where === undefined ? true : verdictOf(where, row)
  return verdict === MAYBE ? undefined : verdict === true
}

function verdictOf(expression: Expression, row: object): Verdict {
  if (expression.type !== 'func') {
    const operand = operandOf(expression, row)
    return typeof operand === 'boolean' ? operand : operand === null || operand === undefined ? null : MAYBE
  }
  const { name, args } = expression
  switch (name) {
    case 'and':
      return both(args.map((each) => verdictOf(each, row)))
    case 'or':
      return not(both(args.map((each) => not(verdictOf(each, row)))))
    case 'not':
      return args.length === 1 ? not(verdictOf(args[0]!, row)) : MAYBE
    default:
      return args.every(({ type }) => type !== 'func')
        ? compared(
            name,
            args.map((each) => operandOf(each, row)),
          )
        : MAYBE
  }
}

function both(verdicts: readonly Verdict[]): Verdict {
  if (verdicts.includes(false)) return false
  if (verdicts.includes(MAYBE)) return MAYBE
  return verdicts.includes(null) ? null : true
}

function not(verdict: Verdict): Verdict {
  return typeof verdict === 'boolean' ? !verdict : verdict
}

function compared(name: string, [one, other]: readonly unknown[]): Verdict {
  if (one === MAYBE || other === MAYBE) return MAYBE
  if (name === 'isNull') return one === null
  if (name === 'isUndefined') return one === undefined
  if (one === null || one === undefined) return KNOWN.has(name) ? null : MAYBE
  if (name === 'in') return Array.isArray(other) ? isAmong(one, other) : MAYBE
  if (other === null || other === undefined) return KNOWN.has(name) ? null : MAYBE
  const [a, b] = [scalarOf(one), scalarOf(other)]
  if (a === undefined || b === undefined || typeof a !== typeof b) return MAYBE
  switch (name) {
    case 'eq':
      return a === b
    case 'gt':
      return a > b
    case 'gte':
      return a >= b
    case 'lt':
      return a < b
    case 'lte':
      return a <= b
    default:
      return MAYBE
  }
}

/** Functions that give unknown for an operand that is not there. */
const KNOWN: ReadonlySet<string> = new Set(['eq', 'gt', 'gte', 'lt', 'lte', 'in'])

function isAmong(value: unknown, list: readonly unknown[]): Verdict {
  const scalar = scalarOf(value)
  if (scalar === undefined) return MAYBE
  let verdict: Verdict = false
  for (const each of list) {
    if (each === null || each === undefined) continue
    const other = scalarOf(each)
    if (other === scalar) return true
    if (other === undefined) verdict = MAYBE
  }
  return verdict
}

/** What text, numbers and dates are compared by. Undefined for all others, and for NaN. */
function scalarOf(value: unknown): string | number | bigint | boolean | undefined {
  if (value instanceof Date) return scalarOf(value.getTime())
  if (typeof value === 'number') return Number.isNaN(value) ? undefined : value
  return typeof value === 'string' || typeof value === 'bigint' || typeof value === 'boolean' ? value : undefined
}

function operandOf(expression: Exclude<Expression, IR.Func>, row: object): unknown
function operandOf(expression: Expression, row: object): unknown
function operandOf(expression: Expression, row: object): unknown {
  if (expression.type === 'val') return expression.value
  const path = expression.type === 'ref' ? pathOf(expression) : []
  // Fields that TanStack DB adds to rows begin with a `$`.
  if (path.length === 0 || path[0]!.startsWith('$')) return MAYBE
  let value: unknown = row
  for (const name of path) {
    if (value === null || value === undefined) return value
    value = (value as Readonly<Record<string, unknown>>)[name]
  }
  return value
}

/** The names that lead to a field, without that of the collection in the query. */
export function pathOf({ path, sourceAlias }: IR.PropRef): readonly string[] {
  return sourceAlias !== undefined && path[0] === sourceAlias ? path.slice(1) : path
}
