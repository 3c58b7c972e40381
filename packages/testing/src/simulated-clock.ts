import type { Instant } from '@gossipgrid/core'
import type { EventQueue } from './event-queue.ts'

/** When simulations begin: 2026-01-01, as wall milliseconds. */
export const WALL_START_MS = 1_767_225_600_000

/** The two clocks of one machine: a steady one, and a wall clock that may be wrong, coarse, stopped, or jump. */
export class SimulatedClock {
  /** How far the wall clock is ahead of simulated time. */
  skewMs = 0
  /** The wall clock shows multiples of this. */
  resolutionMs = 1
  readonly #queue: EventQueue
  readonly #monotonicStartMs: number
  #stoppedAtMs: number | undefined

  constructor(queue: EventQueue, monotonicStartMs: number) {
    this.#queue = queue
    this.#monotonicStartMs = monotonicStartMs
  }

  now(): Instant {
    const trueMs = this.#stoppedAtMs ?? this.#queue.nowMs
    const wallMs = WALL_START_MS + trueMs + this.skewMs
    return {
      wallMs: wallMs - (wallMs % this.resolutionMs),
      monotonicMs: this.#queue.nowMs + this.#monotonicStartMs,
    }
  }

  /** Simulated time of a reading of the steady clock. */
  timeOf(monotonicMs: number): number {
    return monotonicMs - this.#monotonicStartMs
  }

  stop(): void {
    this.#stoppedAtMs ??= this.#queue.nowMs
  }

  /** Starts a stopped wall clock again, with the right time at once. */
  go(): void {
    this.#stoppedAtMs = undefined
  }
}
