import { cpus, loadavg } from 'node:os'
import process from 'node:process'
import type { Summary } from './medians.ts'
import { TARGETS, describeTarget, verdict } from './targets.ts'

/** The machine while a bench ran: shared cores make every figure worse. */
export interface Conditions {
  readonly node: string
  readonly cpu: string
  readonly cores: number
  /** Load average over one minute. */
  readonly loadAtStart: number
  readonly loadAtEnd: number
  readonly runs: number
  readonly tookMs: number
}

export function loadNow(): number {
  return Math.round(loadavg()[0]! * 100) / 100
}

export function conditions(loadAtStart: number, runs: number, tookMs: number): Conditions {
  const all = cpus()
  const cpu = all[0]?.model ?? 'unknown'
  return {
    node: process.version,
    cpu,
    cores: all.length,
    loadAtStart,
    loadAtEnd: loadNow(),
    runs,
    tookMs: Math.round(tookMs),
  }
}

/** One line of JSON with the medians. */
export function jsonLine(bench: string, where: Conditions, summaries: ReadonlyMap<string, Summary>): string {
  const medians: Record<string, number> = {}
  for (const [name, summary] of summaries) medians[name] = rounded(summary.median)
  return JSON.stringify({ bench, ...where, ...medians })
}

/** A table for people: median, spread over the runs, and target. */
export function table(bench: string, where: Conditions, summaries: ReadonlyMap<string, Summary>): string {
  const rows = [['figure', 'median', 'min', 'max', 'reach', '']]
  for (const [name, { median, min, max }] of summaries) {
    const target = TARGETS[bench]?.[name]
    rows.push([name, text(median), text(min), text(max), describeTarget(target), verdict(target, median)])
  }
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  const lines = rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join('  '),
  )
  const { node, cpu, cores, loadAtStart, loadAtEnd, runs, tookMs } = where
  const seconds = Math.round(tookMs / 1000)
  const head = `${bench}: ${runs} runs in ${seconds} s, node ${node}, ${cores} x ${cpu}, load ${loadAtStart} -> ${loadAtEnd}`
  return [head, ...lines].map((line) => line.trimEnd()).join('\n')
}

function rounded(value: number): number {
  return Math.abs(value) >= 1000 ? Math.round(value) : Number(value.toPrecision(4))
}

function text(value: number): string {
  return String(rounded(value))
}
