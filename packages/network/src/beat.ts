/** Where in each interval the timers of this process end. Peers of one machine should not wake up together. */
const PHASE = Math.random()
/** The timer of a beat can end a little early. The next one is not to follow at once. */
const EARLY = 0.25

/**
 * How long from now, in milliseconds, until the next beat of an interval. Timers that wait for it end together: what an idle
 * process costs is how often it wakes up.
 */
export function untilBeatMs(intervalMs: number): number {
  const leftMs = intervalMs - ((Date.now() - PHASE * intervalMs) % intervalMs)
  return leftMs < EARLY * intervalMs ? leftMs + intervalMs : leftMs
}

/** Runs `task` with each beat. Call the result to end that. */
export function onBeat(intervalMs: number, task: () => void): () => void {
  let timer: ReturnType<typeof setTimeout>
  const wait = (): void => {
    timer = setTimeout(() => {
      wait()
      task()
    }, untilBeatMs(intervalMs))
  }
  wait()
  return () => clearTimeout(timer)
}
