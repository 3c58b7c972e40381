import type { TimeSlices } from '../flow/time-slices.ts'

type Compare = (one: number, other: number) => number

/** Runs of so many numbers are sorted by insertion. */
const RUN = 16
/** So many numbers are merged before the clock is read again. */
const STEPS = 512

/** Two sorted stretches side by side, and how far they are merged. */
interface Merge {
  left: number
  right: number
  to: number
}

/** Sorts an array by merging, in turns of the event loop. Returns it or another one of the same length. */
export async function sortInTurns(numbers: Uint32Array, compare: Compare, slices: TimeSlices): Promise<Uint32Array> {
  const count = numbers.length
  for (let start = 0; start < count; start += RUN) {
    sortRun(numbers, start, Math.min(start + RUN, count), compare)
    if (slices.isOverNow()) await slices.next()
  }
  let from = numbers
  let into: Uint32Array = new Uint32Array(count)
  for (let width = RUN; width < count; width *= 2) {
    for (let start = 0; start < count; start += 2 * width) {
      const middle = Math.min(start + width, count)
      const end = Math.min(middle + width, count)
      const merge = { left: start, right: middle, to: start }
      while (merge.to < end) {
        mergeSome(from, into, merge, middle, end, compare)
        if (slices.isOverNow()) await slices.next()
      }
    }
    ;[from, into] = [into, from]
  }
  return from
}

function sortRun(numbers: Uint32Array, start: number, end: number, compare: Compare): void {
  for (let i = start + 1; i < end; i++) {
    const number = numbers[i]!
    let at = i
    for (; at > start && compare(numbers[at - 1]!, number) > 0; at--) numbers[at] = numbers[at - 1]!
    numbers[at] = number
  }
}

function mergeSome(
  from: Uint32Array,
  into: Uint32Array,
  merge: Merge,
  middle: number,
  end: number,
  compare: Compare,
): void {
  let { left, right, to } = merge
  const stop = Math.min(end, to + STEPS)
  for (; to < stop; to++) {
    const isLeft = right === end || (left < middle && compare(from[left]!, from[right]!) <= 0)
    into[to] = isLeft ? from[left++]! : from[right++]!
  }
  merge.left = left
  merge.right = right
  merge.to = to
}
