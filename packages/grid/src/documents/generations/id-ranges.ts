/** Consecutive ids of one client. */
export interface IdRange {
  readonly client: number
  readonly clock: number
  readonly length: number
}

/** The parts of `[clock, end)` that are in `ranges`, each with its range. The ranges ascend and do not overlap. */
export function* splitRange<Range extends { readonly clock: number; readonly end: number }>(
  ranges: readonly Range[],
  clock: number,
  end: number,
): Generator<{ readonly clock: number; readonly end: number; readonly of: Range }, void, undefined> {
  let low = 0
  let high = ranges.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (ranges[middle]!.end > clock) high = middle
    else low = middle + 1
  }
  for (let i = low; i < ranges.length && ranges[i]!.clock < end; i++) {
    const of = ranges[i]!
    yield { clock: Math.max(clock, of.clock), end: Math.min(end, of.end), of }
  }
}

/** Decodes ranges: three numbers for each. */
export function rangesOf(numbers: readonly number[]): IdRange[] {
  const ranges: IdRange[] = []
  for (let i = 0; i < numbers.length; i += 3) {
    ranges.push({ client: numbers[i]!, clock: numbers[i + 1]!, length: numbers[i + 2]! })
  }
  return ranges
}
