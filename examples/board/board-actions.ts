import type { Point } from '../shared/seat.ts'
import type { Shape } from './shape.ts'

/** What the board does to the grid. */
export interface BoardActions {
  add(id: string, shape: Shape): Promise<unknown>
  edit(id: string, change: Partial<Shape>): Promise<unknown>
  remove(id: string): Promise<unknown>
  /** Where this user points at; undefined: not at the board. */
  point(at: Point | undefined): void
}
