import type { TimeSlices } from '../flow/time-slices.ts'

type Compare = (one: number, other: number) => number

/** Runs of so many numbers are sorted by insertion. */
const RUN = 16
/** So many numbers are merged before the clock is read again. */
const STEPS = 512
/** And so many are copied, which is some thirty times as fast. */
const COPIED = 16_384

/** Two sorted stretches side by side, and how far they are merged. */
interface Merge {
  left: number
  right: number
  to: number
}

/** Numbers, and beside each of them a weight: where two weights differ, the smaller one comes first. */
interface Weighed {
  readonly numbers: Uint32Array
  readonly weights: Float64Array
}

/**
 * Sorts an array by merging, in turns of the event loop. Returns it or another one of the same length. `compare` is asked only where
 * weights are equal: they lie side by side, and what it looks at does not.
 */
export async function sortInTurns(
  numbers: Uint32Array,
  weights: Float64Array,
  compare: Compare,
  slices: TimeSlices,
): Promise<Uint32Array> {
  const count = numbers.length
  let from: Weighed = { numbers, weights }
  let into: Weighed = { numbers: new Uint32Array(count), weights: new Float64Array(count) }
  for (let start = 0; start < count; start += RUN) {
    sortRun(from, start, Math.min(start + RUN, count), compare)
    if (slices.isOverNow()) await slices.next()
  }
  for (let width = RUN; width < count; width *= 2) {
    for (let start = 0; start < count; start += 2 * width) {
      const middle = Math.min(start + width, count)
      const end = Math.min(middle + width, count)
      const merge = { left: start, right: middle, to: start }
      const isDone = isInOrder(from, middle, count, compare)
      while (merge.to < end) {
        if (isDone) copySome(from, into, merge, end)
        else mergeSome(from, into, merge, middle, end, compare)
        if (slices.isOverNow()) await slices.next()
      }
    }
    ;[from, into] = [into, from]
  }
  return from.numbers
}

/** Whether what ends before `middle` comes before what begins there: entries often come in some order. */
function isInOrder({ numbers, weights }: Weighed, middle: number, count: number, compare: Compare): boolean {
  if (middle === count) return true
  const [one, other] = [weights[middle - 1]!, weights[middle]!]
  return one < other || (one === other && compare(numbers[middle - 1]!, numbers[middle]!) <= 0)
}

function copySome(from: Weighed, into: Weighed, merge: Merge, end: number): void {
  const stop = Math.min(end, merge.to + COPIED)
  into.numbers.set(from.numbers.subarray(merge.to, stop), merge.to)
  into.weights.set(from.weights.subarray(merge.to, stop), merge.to)
  merge.to = stop
}

function sortRun({ numbers, weights }: Weighed, start: number, end: number, compare: Compare): void {
  for (let i = start + 1; i < end; i++) {
    const number = numbers[i]!
    const weight = weights[i]!
    let at = i
    for (; at > start; at--) {
      const before = weights[at - 1]!
      if (before < weight || (before === weight && compare(numbers[at - 1]!, number) <= 0)) break
      numbers[at] = numbers[at - 1]!
      weights[at] = before
    }
    numbers[at] = number
    weights[at] = weight
  }
}

function mergeSome(
  { numbers, weights }: Weighed,
  into: Weighed,
  merge: Merge,
  middle: number,
  end: number,
  compare: Compare,
): void {
  let { left, right, to } = merge
  const stop = Math.min(end, to + STEPS)
  for (; to < stop; to++) {
    let isLeft = right === end
    if (!isLeft && left < middle) {
      const [one, other] = [weights[left]!, weights[right]!]
      isLeft = one < other || (one === other && compare(numbers[left]!, numbers[right]!) <= 0)
    }
    const at = isLeft ? left++ : right++
    into.numbers[to] = numbers[at]!
    into.weights[to] = weights[at]!
  }
  merge.left = left
  merge.right = right
  merge.to = to
}
