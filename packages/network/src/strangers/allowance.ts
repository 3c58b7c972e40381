/**
 * The measured cost of handling one piece of input, in microseconds of one processor. What a stranger sends is charged at these
 * rates before it is handled.
 */
export const Cost = {
  byte: 0.25,
  /** One read from a socket, whatever its size: a stranger can send each byte alone. */
  read: 150,
  /** One payload of several in a read, such as those of the frames of a WebSocket. */
  payload: 50,
  /** A frame of the multiplexer. */
  frame: 5,
  /** A stream that the other side opens. */
  stream: 200,
  /** A message with its length in front: a request for a protocol, or a message of a protocol. */
  message: 40,
} as const
/** About four times what an honest peer needs until it has shown its proof. */
const WORK_MAX = 12_000

/** The other side of a connection exceeded a limit that no honest peer comes near. */
export class ExcessError extends Error {
  override readonly name = 'ExcessError'
}

/** The work that one connection may cost until its other side has shown its proof. */
export class Allowance {
  #left = WORK_MAX

  /** Throws `ExcessError` when nothing is left. */
  charge(cost: number): void {
    this.#left -= cost
    if (this.#left < 0) throw new ExcessError('it asks for more work than a peer does before it has shown its proof')
  }

  /** The other side has shown its proof. Nothing is charged any more. */
  lift(): void {
    this.#left = Infinity
  }
}
