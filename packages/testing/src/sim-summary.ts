import type { CalendarResult } from './calendar.ts'
import type { SimulationResult } from './simulator.ts'

/** The totals of all seeds that ran; for a single seed the seed too. */
export class Summary {
  readonly failed: number[] = []
  readonly #minutes: SimulationResult[] = []
  readonly #calendars: CalendarResult[] = []
  readonly #startMs = performance.now()

  get wallSeconds(): number {
    return (performance.now() - this.#startMs) / 1000
  }

  /** Seeds so far. */
  get ran(): number {
    return this.#minutes.length + this.#calendars.length
  }

  add(result: SimulationResult | CalendarResult): void {
    if ('days' in result) this.#calendars.push(result)
    else this.#minutes.push(result)
    if (result.violations.length > 0) this.failed.push(result.seed)
  }

  json(): Record<string, unknown> {
    return this.#calendars.length > 0 ? this.#calendarFigures() : this.#minuteFigures()
  }

  #minuteFigures(): Record<string, unknown> {
    const results = this.#minutes
    const sum = sumOver(results)
    const simSeconds = sum((result) => result.simSeconds)
    const peerSeconds = sum((result) => result.simSeconds * result.peers)
    const [first] = results
    const faults: Record<string, number> = {}
    for (const result of results) {
      for (const [kind, count] of Object.entries(result.faults)) faults[kind] = (faults[kind] ?? 0) + count
    }
    return {
      ...(results.length === 1 && first !== undefined
        ? { seed: first.seed, peers: first.peers, minutes: first.minutes, settleSeconds: first.settleSeconds }
        : { seeds: results.length, first: first?.seed, failed: this.failed }),
      hash: results.length === 1 ? first?.hash : undefined,
      ...commonFigures(results),
      faults,
      excused: sum((result) => result.excused),
      simSeconds: round(simSeconds),
      simSecondsPerSecond: round(simSeconds / this.wallSeconds),
      peerHoursPerHour: round(peerSeconds / this.wallSeconds),
    }
  }

  #calendarFigures(): Record<string, unknown> {
    const results = this.#calendars
    const [first, second] = results
    const wallSeconds = round(this.wallSeconds)
    if (second === undefined) return { ...first, wallSeconds }
    const sum = sumOver(results)
    return {
      seeds: results.length,
      first: first?.seed,
      failed: this.failed,
      days: first?.days,
      ...commonFigures(results),
      absences: sum((result) => result.absences),
      crashes: sum((result) => result.crashes),
      tombstonesMax: Math.max(...results.map((result) => result.tombstonesMax)),
      tombstones: Math.max(...results.map((result) => result.tombstones)),
      activeSeconds: round(sum((result) => result.activeSeconds)),
      wallSeconds,
    }
  }
}

function commonFigures(results: readonly (SimulationResult | CalendarResult)[]): Record<string, unknown> {
  const sum = sumOver(results)
  return {
    writes: sum((result) => result.writes),
    deletes: sum((result) => result.deletes),
    acknowledged: sum((result) => result.acknowledged),
    lost: sum((result) => result.lost),
    resurrected: sum((result) => result.resurrected),
    diverged: sum((result) => result.diverged),
    violations: results.flatMap((result) => result.violations).slice(0, 20),
  }
}

function sumOver<T>(results: readonly T[]): (of: (result: T) => number) => number {
  return (of) => results.reduce((total, result) => total + of(result), 0)
}

export function round(value: number): number {
  return Math.round(value * 10) / 10
}
