import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { AskedProcess } from '../runtimes/asked-process.ts'
import { runtimeCommand } from '../runtimes/runtime.ts'
import type { TypingLedger, TypistCalls, TypistState } from './typist-calls.ts'

const PROGRAM = fileURLToPath(new URL('typist-program.ts', import.meta.url))
const HOLDS_WITHIN_MS = 120_000

interface Seat {
  readonly typist: AskedProcess<TypistCalls>
  readonly peerId: string
}

/** Processes that type into one document, and the network between them. */
export class Typists {
  readonly #seats: Seat[] = []
  readonly #started: AskedProcess<TypistCalls>[] = []
  #addresses: readonly string[] = []

  /** Starts one more typist, which joins by the first one. */
  async add(directory: string, seat: number = this.#seats.length): Promise<void> {
    const typist = new AskedProcess<TypistCalls>(`typist ${seat}`, [...runtimeCommand('node'), PROGRAM])
    this.#started.push(typist)
    const { peerId, addresses } = await typist.ask('open', { seat, directory, join: this.#addresses })
    if (this.#seats.length === 0) this.#addresses = addresses
    this.#seats.push({ typist, peerId })
  }

  async connected(): Promise<void> {
    await until('all are connected', async () => {
      return (await this.states()).every(({ neighbours }) => neighbours === this.#seats.length - 1)
    })
  }

  /** Each types so many edits, at the same time. */
  async type(count: number): Promise<void> {
    await this.#all((typist) => typist.ask('type', count))
  }

  /**
   * Cuts the network between those seats and the others, after it ends any earlier split. An empty list only ends it.
   */
  async split(side: readonly number[]): Promise<void> {
    const across = this.#seats.map((_, seat) => {
      const others = this.#seats.filter((_, other) => side.includes(other) !== side.includes(seat))
      return others.map(({ peerId }) => peerId)
    })
    await Promise.all(this.#seats.map(({ typist }, seat) => typist.ask('split', across[seat]!)))
  }

  /** Waits until the peers on each side of a split are connected to each other, and to no others. */
  async parted(side: readonly number[]): Promise<void> {
    await until('the sides are apart', async () => {
      return (await this.states()).every(({ neighbours }, seat) => {
        const own = side.includes(seat) ? side.length : this.#seats.length - side.length
        return neighbours === own - 1
      })
    })
  }

  /** Waits until all have the same rows and show the same edits. */
  async equal(): Promise<void> {
    await until('all are equal', async () => {
      const states = await this.states()
      return [states.map(({ fingerprint }) => fingerprint), states.map(({ stateVector }) => stateVector)].every(
        (all) => new Set(all).size === 1,
      )
    })
  }

  states(): Promise<TypistState[]> {
    return this.#all((typist) => typist.ask('state', null))
  }

  texts(): Promise<string[]> {
    return this.#all((typist) => typist.ask('text', null))
  }

  ledgers(): Promise<TypingLedger[]> {
    return this.#all((typist) => typist.ask('ledger', null))
  }

  /** The document of the first typist: its characters by id. */
  async shown(): Promise<Map<string, string>> {
    const characters = await this.#seats[0]!.typist.ask('characters', null)
    return new Map(characters.map(([client, clock, text]) => [`${client}:${clock}`, text]))
  }

  /** Closes all peers and waits for the processes to end by themselves. Returns their exit codes. */
  async close(): Promise<(number | null)[]> {
    await this.#all((typist) => typist.ask('close', null))
    return this.#all(({ ended }) => ended)
  }

  async abandon(): Promise<void> {
    await Promise.all(this.#started.map((typist) => typist.abandon()))
  }

  #all<Answer>(ask: (typist: AskedProcess<TypistCalls>) => Promise<Answer>): Promise<Answer[]> {
    return Promise.all(this.#seats.map(({ typist }) => ask(typist)))
  }
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + HOLDS_WITHIN_MS
  while (!(await holds())) {
    if (performance.now() > endMs) throw new Error(`Not within ${HOLDS_WITHIN_MS} ms: ${what}`)
    await delay(50)
  }
}

/** The characters that must remain by the records of all typists: all that no typist took out. */
export function expectedCharacters(ledgers: readonly TypingLedger[]): Map<string, string> {
  const expected = new Map<string, string>()
  for (const { typed } of ledgers) {
    for (const [client, clock, text] of typed) expected.set(`${client}:${clock}`, text)
  }
  for (const { erased } of ledgers) {
    for (const [client, clock] of erased) expected.delete(`${client}:${clock}`)
  }
  return expected
}
