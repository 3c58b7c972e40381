/**
 * What handling a piece of input costs at most, in microseconds of one processor, as measured. Whatever a stranger sends is
 * charged by these before it is handled.
 */
export const Cost = {
  byte: 0.25,
  /** What is read at once from a socket, whatever its size: a stranger can send each byte alone. */
  chunk: 50,
  /** A frame of the multiplexer. */
  frame: 5,
  /** A stream that the other side opens. */
  stream: 200,
  /** A message with its length in front: a question for a protocol, a protocol's own message. */
  message: 40,
} as const
/** About four times what an honest peer needs until it has shown its proof. */
const WORK_MAX = 12_000

/** The other side of a connection broke a limit that no honest peer comes near. */
export class ExcessError extends Error {
  override readonly name = 'ExcessError'
}

/** What one connection may cost until its other side has shown that it is of the grid: fixed, whatever it sends. */
export class Allowance {
  #left = WORK_MAX

  /** Throws `ExcessError` once all is spent. */
  charge(cost: number): void {
    this.#left -= cost
    if (this.#left < 0) throw new ExcessError('it asks for more work than a peer does before it has shown its proof')
  }

  /** The other side is of the grid: nothing is charged any more. */
  lift(): void {
    this.#left = Infinity
  }
}
