/** Ids of Yjs, as ranges of clocks by client. */
export class IdRanges {
  readonly #byClient = new Map<number, (readonly [clock: number, end: number])[]>()

  /** Three numbers for each range: client, clock, length; ascending for each client. */
  constructor(numbers: readonly number[]) {
    for (let i = 0; i < numbers.length; i += 3) {
      const client = numbers[i]!
      const ranges = this.#byClient.get(client) ?? []
      this.#byClient.set(client, ranges)
      ranges.push([numbers[i + 1]!, numbers[i + 1]! + numbers[i + 2]!])
    }
  }

  /** The range that an id is in. */
  rangeOf(client: number, clock: number): readonly [clock: number, end: number] | undefined {
    const ranges = this.#byClient.get(client)
    if (ranges === undefined) return undefined
    const range = ranges[firstAfter(ranges, clock)]
    return range !== undefined && range[0] <= clock ? range : undefined
  }

  /** What of `[clock, end)` is not in a range. */
  *without(client: number, clock: number, end: number): Generator<[clock: number, end: number], void, undefined> {
    const ranges = this.#byClient.get(client) ?? []
    let from = clock
    for (let i = firstAfter(ranges, clock); from < end && i < ranges.length && ranges[i]![0] < end; i++) {
      if (ranges[i]![0] > from) yield [from, ranges[i]![0]]
      from = ranges[i]![1]
    }
    if (from < end) yield [from, end]
  }

  /** The first clock of a client that no range reaches. */
  endOf(client: number): number {
    return this.#byClient.get(client)?.at(-1)?.[1] ?? 0
  }

  clients(): Iterable<number> {
    return this.#byClient.keys()
  }
}

/** The index of the first range that ends after a clock. */
function firstAfter(ranges: readonly (readonly [number, number])[], clock: number): number {
  let low = 0
  let high = ranges.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (ranges[middle]![1] > clock) high = middle
    else low = middle + 1
  }
  return low
}
