import { setTimeout as delay } from 'node:timers/promises'

/** Waits until something is reached, and throws if that takes longer than `maxMs`. */
export async function until(
  what: string,
  { maxMs, lookGapMs }: { readonly maxMs: number; readonly lookGapMs: number },
  reached: () => Promise<boolean>,
): Promise<void> {
  const deadlineMs = performance.now() + maxMs
  while (!(await reached())) {
    if (performance.now() > deadlineMs) throw new Error(`waited ${maxMs} ms for ${what}`)
    await delay(lookGapMs)
  }
}
