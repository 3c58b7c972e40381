import { FieldReader } from '../ordering/field-reader.ts'
import { isPoint, isWithin, pointOf, stretchOf } from '../ordering/interval.ts'
import type { Interval } from '../ordering/interval.ts'
import { pathOf } from '../ordering/paths.ts'
import { TEXT } from '../ordering/value-order.ts'
import type { Payload, SortKey } from '../ordering/value-order.ts'
import type { PlainWhere } from './checks/check-name.ts'
import { isOperators } from './checks/check-where.ts'

/** Of a field that matches, some value lies in one of these intervals. */
type Constraint = readonly Interval[]

/**
 * Where in the order the values of fields must lie, by name, so that a value can match: what an index and a first look at stored
 * bytes can tell. More values may lie there than match.
 */
export type Constraints = ReadonlyMap<string, readonly Constraint[]>

const MISSING_OR_NULL: Constraint = [pointOf(undefined), pointOf(null)]
const DIGITS = /^\d+(?:\.|$)/

export function constraintsOf(where: PlainWhere): Constraints {
  const found = new Map<string, Constraint[]>()
  gather(where, '', found)
  return found
}

function gather(where: PlainWhere, prefix: string, found: Map<string, Constraint[]>): void {
  for (const [name, condition] of Object.entries(where)) {
    if (name === '$and') for (const each of condition as readonly PlainWhere[]) gather(each, prefix, found)
    else if (!name.startsWith('$')) gatherField(prefix + name, condition, found)
  }
}

function gatherField(name: string, condition: unknown, found: Map<string, Constraint[]>): void {
  const operators = isOperators(condition) ? condition : { $eq: condition }
  const add = (constraint: Constraint | undefined): void => {
    if (constraint === undefined) return
    const known = found.get(name)
    if (known === undefined) found.set(name, [constraint])
    else known.push(constraint)
  }
  for (const [operator, operand] of Object.entries(operators)) {
    if (operator === '$elemMatch') gatherElement(name, operand as PlainWhere, found)
    else add(constraintOf(operator, operand))
  }
}

/** What one element matches holds of the elements of the field, and of their fields. */
function gatherElement(name: string, operand: PlainWhere, found: Map<string, Constraint[]>): void {
  const ofElement = Object.keys(operand).some((each) => each.startsWith('$') && each !== '$and' && each !== '$or')
  if (ofElement) gatherField(name, operand, found)
  // A name of digits would be taken for a place in the array.
  else if (!Object.keys(operand).some((each) => DIGITS.test(each) || each === '$and'))
    gather(operand, `${name}.`, found)
}

function constraintOf(operator: string, operand: unknown): Constraint | undefined {
  switch (operator) {
    case '$eq':
      return operand === null ? MISSING_OR_NULL : [pointOf(operand)]
    case '$in':
      return (operand as readonly unknown[]).flatMap((each) => (each === null ? MISSING_OR_NULL : [pointOf(each)]))
    case '$gt':
    case '$gte':
      return [{ ...pointOf(operand), high: undefined }]
    case '$lt':
    case '$lte':
      return [{ ...pointOf(operand), low: undefined }]
    case '$startsWith':
      return [stretchOf(TEXT, operand as string)]
    case '$exists':
      return operand === false ? [pointOf(undefined)] : undefined
    default:
      return undefined
  }
}

/** So many fields are looked at first: each reads the entry from its beginning. */
const FIRST_FIELDS_MAX = 8
/** Of so many points, one is looked up. */
const POINTS_MIN = 8

/** Tells whether a value lies where a constraint says. */
function withinOf(constraint: Constraint): (key: SortKey) => boolean {
  if (constraint.length < POINTS_MIN || !constraint.every(isPoint))
    return (key) => constraint.some((interval) => isWithin(interval, key))
  const points = new Map<number, Set<Payload>>()
  for (const { rank, low } of constraint) points.set(rank, (points.get(rank) ?? new Set()).add(low!))
  return ({ rank, payload }) => points.get(rank)?.has(payload) === true
}

/** Looks at stored bytes for whether a value can match, which costs far less than to decode it. */
export class FirstLook {
  readonly #fields: readonly { readonly reader: FieldReader; readonly tests: readonly ((key: SortKey) => boolean)[] }[]

  constructor(constraints: Constraints) {
    this.#fields = [...constraints].slice(0, FIRST_FIELDS_MAX).map(([name, each]) => ({
      reader: new FieldReader(pathOf(name)),
      tests: each.map(withinOf),
    }))
  }

  /** False only if it cannot. */
  canMatch(bytes: Uint8Array, start: number): boolean {
    for (const { reader, tests } of this.#fields) {
      if (!reader.read(bytes, start)) continue
      for (const test of tests) if (!test(reader)) return false
    }
    return true
  }
}
