import type { Point } from '../shared/seat.ts'

/**
 * A shape on the board. Values that belong together are one field, so that two concurrent edits never leave half of
 * each.
 */
export interface Shape {
  readonly kind: 'note' | 'box'
  readonly at: Point
  readonly size: Size
  readonly text: string
  readonly colour: Colour
}

export interface Size {
  readonly width: number
  readonly height: number
}

export const COLOURS = ['yellow', 'green', 'blue', 'pink', 'grey'] as const

export type Colour = (typeof COLOURS)[number]

/** The board has the same size for all users; smaller screens show a part of it. */
export const BOARD: Size = { width: 1600, height: 1000 }

const SIZE_MIN = 48

/** The nearest place and size at which a shape is wholly on the board. */
export function onBoard({ at, size }: Pick<Shape, 'at' | 'size'>): Pick<Shape, 'at' | 'size'> {
  const width = between(size.width, SIZE_MIN, BOARD.width)
  const height = between(size.height, SIZE_MIN, BOARD.height)
  return {
    at: { x: between(at.x, 0, BOARD.width - width), y: between(at.y, 0, BOARD.height - height) },
    size: { width, height },
  }
}

function between(wanted: number, min: number, max: number): number {
  return Math.round(Math.min(max, Math.max(min, wanted)))
}
