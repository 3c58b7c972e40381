import type { Point } from '../shared/seat.ts'
import type { Shape } from './shape.ts'

/** The actions of the board on the grid. */
export interface BoardActions {
  add(id: string, shape: Shape): Promise<unknown>
  edit(id: string, change: Partial<Shape>): Promise<unknown>
  remove(id: string): Promise<unknown>
  /** This user's pointer; undefined when it is not over the board. */
  point(at: Point | undefined): void
}
