import type { Point } from '../shared/seat.ts'
import type { Shape, Size } from './shape.ts'

export type Place = Pick<Shape, 'at' | 'size'>

const GAP = 24

/**
 * Where in `view` a new shape of that size stands: as near to the middle as it hides no other one; where there is no such
 * place, stepwise beside the middle. Never outside of the view, if it fits in.
 */
export function freePlace(size: Size, view: Place, others: readonly Place[]): Point {
  const room = { width: Math.max(0, view.size.width - size.width), height: Math.max(0, view.size.height - size.height) }
  const on = (x: number, y: number): Point => ({ x: Math.round(view.at.x + x), y: Math.round(view.at.y + y) })
  const middle = { x: room.width / 2, y: room.height / 2 }
  const candidates = steps(middle.x, room.width, size.width + GAP)
    .flatMap((x) => steps(middle.y, room.height, size.height + GAP).map((y) => ({ x, y })))
    .toSorted((a, b) => distance(a, middle) - distance(b, middle))
    .map(({ x, y }) => on(x, y))
  const free = candidates.find((at) => !others.some((other) => overlaps({ at, size }, other)))
  if (free !== undefined) return free
  const beside = others.map((_, n) =>
    on((middle.x + GAP * n) % (room.width + 1), (middle.y + GAP * n) % (room.height + 1)),
  )
  return beside.find((at) => !others.some((other) => distance(at, other.at) === 0)) ?? candidates[0]!
}

/** The middle, and what is a whole number of steps away from it, within the room. */
function steps(middle: number, room: number, step: number): number[] {
  const count = Math.floor(middle / step)
  return Array.from({ length: 2 * count + 1 }, (_, i) => Math.min(room, Math.max(0, middle + (i - count) * step)))
}

function distance(a: Point, b: Point): number {
  return Math.hypot(a.x - b.x, a.y - b.y)
}

function overlaps(a: Place, b: Place): boolean {
  return (
    a.at.x < b.at.x + b.size.width &&
    b.at.x < a.at.x + a.size.width &&
    a.at.y < b.at.y + b.size.height &&
    b.at.y < a.at.y + a.size.height
  )
}
