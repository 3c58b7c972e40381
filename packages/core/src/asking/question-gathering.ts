import { READ_QUESTIONS_AT_ONCE_MAX } from '../limits.ts'
import type { PeerId } from '../ports.ts'

interface Gathered<Wanted> {
  readonly wanted: Set<Wanted>
  dueAtMs: number
}

/**
 * Counts the questions that peers have to answer. What is for a peer with several of them gathers until it has answered one, or for a
 * moment: many reads at a time are few messages, and a lone read waits for nothing.
 */
export class QuestionGathering<Wanted> {
  readonly #questions = new Map<PeerId, number>()
  readonly #gathered = new Map<PeerId, Gathered<Wanted>>()
  #dueAtMs = Infinity

  /** Monotonic milliseconds at which something has gathered for long enough. */
  get dueAtMs(): number {
    return this.#dueAtMs
  }

  /** How many questions a peer has not answered. */
  questions(peer: PeerId): number {
    return this.#questions.get(peer) ?? 0
  }

  isBusy(peer: PeerId): boolean {
    return this.questions(peer) >= READ_QUESTIONS_AT_ONCE_MAX
  }

  begun(peer: PeerId): void {
    this.#questions.set(peer, this.questions(peer) + 1)
  }

  /** A question is answered, or given up. Returns what has gathered for the peer. */
  ended(peer: PeerId): Iterable<Wanted> {
    const left = this.questions(peer) - 1
    if (left > 0) this.#questions.set(peer, left)
    else this.#questions.delete(peer)
    return this.#take(peer)
  }

  disconnected(peer: PeerId): void {
    this.#questions.delete(peer)
    this.#gathered.delete(peer)
  }

  add(peer: PeerId, wanted: Wanted, dueAtMs: number): void {
    const known = this.#gathered.get(peer)
    if (known === undefined) this.#gathered.set(peer, { wanted: new Set([wanted]), dueAtMs })
    else {
      known.wanted.add(wanted)
      known.dueAtMs = Math.min(known.dueAtMs, dueAtMs)
    }
    this.#dueAtMs = Math.min(this.#dueAtMs, dueAtMs)
  }

  /** What has gathered for long enough. */
  due(nowMs: number): Wanted[] {
    const peers = [...this.#gathered].filter(([, { dueAtMs }]) => nowMs >= dueAtMs).map(([peer]) => peer)
    const due = peers.flatMap((peer) => [...this.#take(peer)])
    this.#dueAtMs = Math.min(Infinity, ...Array.from(this.#gathered.values(), ({ dueAtMs }) => dueAtMs))
    return due
  }

  clear(): void {
    this.#questions.clear()
    this.#gathered.clear()
    this.#dueAtMs = Infinity
  }

  #take(peer: PeerId): Iterable<Wanted> {
    const gathered = this.#gathered.get(peer)
    this.#gathered.delete(peer)
    return gathered?.wanted ?? []
  }
}
