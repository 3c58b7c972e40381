import process from 'node:process'
import type { Figures } from './bench.ts'

/** The time that `count` calls took. */
export interface Timing {
  readonly count: number
  readonly wallMs: number
  /** User and system time of this process, all threads. On busy cores it is more exact than the wall clock. */
  readonly cpuMs: number
}

export function timed(count: number, work: () => void): Timing {
  const cpu = process.cpuUsage()
  const startMs = performance.now()
  work()
  return { count, wallMs: performance.now() - startMs, cpuMs: cpuMs(cpu) }
}

/** Processor time since an earlier `process.cpuUsage()`. */
export function cpuMs(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since)
  return (user + system) / 1000
}

/** Two figures of one timing: operations per second by the wall clock, and processor time of one operation. */
export function rate(name: string, suffix: string, timing: Timing): Figures {
  return {
    [`${name}PerSec${suffix}`]: timing.count / (timing.wallMs / 1000),
    [`${name}CpuNs${suffix}`]: (timing.cpuMs * 1e6) / timing.count,
  }
}
