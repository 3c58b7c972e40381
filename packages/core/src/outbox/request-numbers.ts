/** The numbers at which lives begin are so far apart. */
const NUMBERS_OF_LIFE = 2 ** 20

/** Numbers what a peer asks others, from a drawn number on: an answer to an earlier life that comes late is not taken for one to this. */
export class RequestNumbers {
  #last: number

  /** `lifeId`: sixteen hexadecimal digits, drawn at each opening. */
  constructor(lifeId: string) {
    this.#last = Number.parseInt(lifeId.slice(0, 8), 16) * NUMBERS_OF_LIFE
  }

  next(): number {
    this.#last += 1
    return this.#last
  }
}
