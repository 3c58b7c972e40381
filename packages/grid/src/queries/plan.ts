import { isPoint, overlap } from '../ordering/interval.ts'
import type { Interval } from '../ordering/interval.ts'
import type { MapIndex } from '../indexes/map-index.ts'
import type { Constraints } from './constraints.ts'
import type { RowOrder } from './row-order.ts'

/** Stretches of an index that one query looks at. */
const STRETCHES_MAX = 1000
/** Pairs of intervals that are compared. */
const OVERLAPS_MAX = 10_000
/** What a look at the bytes of an entry costs, beside a row that is decoded and tested. */
const LOOK_COST = 0.3
const SMALL_SPAN = 64
/** Rows that match, of those that could by the conditions that an index knows, where there are other conditions. */
const OTHERS_SHARE = 0.1

/** How a query goes through an index. */
export interface IndexPlan {
  readonly index: MapIndex
  /** The stretches to walk through, each by the first paths of the index. */
  readonly stretches: readonly (readonly Interval[])[]
  /** The rows come in the order of the query. */
  readonly ordered: boolean
  readonly backwards: boolean
  /** In an ordered walk: how many paths of the index are fixed, and with them parts of the order. */
  readonly fixed: number
}

interface Candidate extends IndexPlan {
  readonly count: number
  /** Names of the index whose conditions it uses. */
  readonly used: number
}

/** What the plan depends on. */
export interface Wanted {
  readonly constraints: Constraints
  readonly hasOthers: boolean
  readonly order: RowOrder
  readonly limit: number
  readonly span: number
}

/** The cheapest way. Undefined: to look at every entry. */
export function planOf(indexes: readonly MapIndex[], wanted: Wanted): IndexPlan | undefined {
  const candidates = indexes.map((index) => candidateOf(index, wanted))
  const { constraints, span, limit, hasOthers } = wanted
  const countMin = Math.min(span, ...candidates.map(({ count }) => count))
  let best: Candidate | undefined
  // In a small map, an index that would serve is used, although nothing depends on it.
  let bestCost = span <= SMALL_SPAN || constraints.size === 0 ? span : span * LOOK_COST
  for (const candidate of candidates) {
    const { count, ordered, used } = candidate
    if (!ordered && used === 0) continue
    const isExact = !hasOthers && used === constraints.size
    const matches = Math.max(1, isExact ? count : countMin * OTHERS_SHARE)
    const cost = ordered ? Math.min(count, ((limit + 1) * count) / matches) : count
    if (cost > bestCost || (cost === bestCost && best?.ordered === true)) continue
    best = candidate
    bestCost = cost
  }
  return best
}

function candidateOf(index: MapIndex, { constraints, order }: Wanted): Candidate {
  let stretches: (readonly Interval[])[] = [[]]
  let used = 0
  let fixed = 0
  for (const [part, name] of index.names.entries()) {
    const intervals = intervalsOf(index, part, constraints.get(name) ?? [])
    if (intervals === undefined || intervals.length * stretches.length > STRETCHES_MAX) break
    stretches = stretches.flatMap((stretch) => intervals.map((interval) => [...stretch, interval]))
    used += 1
    if (!intervals.every(isPoint)) break
    fixed += intervals.length === 1 && fixed === part ? 1 : 0
  }
  const count = stretches.reduce((sum, within) => sum + index.count({ within, backwards: false, once: false }), 0)
  const usesArrays = index.names.some((_, part) => part < used && index.hasArrays(part))
  const ordered = stretches.length === 1 && !usesArrays && isOrdered(index, fixed, order)
  return { index, stretches, ordered, backwards: order.keysDescend, fixed, count, used }
}

/** The intervals in which a field must lie. Undefined if the index cannot tell. */
function intervalsOf(
  index: MapIndex,
  part: number,
  constraints: readonly (readonly Interval[])[],
): readonly Interval[] | undefined {
  if (constraints.length === 0 || !index.finds(part)) return undefined
  // Of an array, each condition may hold for another element.
  if (index.hasArrays(part)) return distinct(constraints[0]!)
  const all = constraints.reduce((left, right) =>
    // The first of them is right as well, if not as narrow.
    left.length * right.length > OVERLAPS_MAX
      ? left
      : left.flatMap((one) => right.flatMap((other) => overlap(one, other) ?? [])),
  )
  return distinct(all)
}

function distinct(intervals: readonly Interval[]): readonly Interval[] {
  const seen = new Set<string>()
  return intervals.filter(({ rank, low, high }) => {
    const id = `${rank} ${typeof low}${low} ${typeof high}${high}`
    return !seen.has(id) && seen.add(id)
  })
}

/** Whether the index has the rows in this order, if its first paths are fixed to one value each. */
function isOrdered({ names }: MapIndex, fixed: number, { parts, keysDescend }: RowOrder): boolean {
  const isFixed = new Set(names.slice(0, fixed))
  const left = parts.filter(({ name }) => !isFixed.has(name))
  if (left.length !== names.length - fixed) return false
  return left.every(({ name, descending }, i) => name === names[fixed + i] && descending === keysDescend)
}
