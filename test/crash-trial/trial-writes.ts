/**
 * The writes of the trials. Write `n` depends on its number alone, so the writing and the checking program need not
 * talk to each other. Numbers grow from burst to burst and from round to round; some are left out.
 */

const KEYS = 400
const SETS_PER_BURST = 13
const WRITES_PER_BURST = 16
const BURSTS_PER_ROUND_MAX = 100_000
const SMALL_SIZE_MAX_BYTES = 400
/**
 * Large enough for the log to outgrow its limit within a few seconds, which causes checkpoints. Small enough for the
 * sets of a burst to fit into one slice of `setMany`, which is written at once: later slices would come after writes of
 * later bursts.
 */
const LARGE_SIZE_BYTES = 40_000
/** One value in so many is large. */
const LARGE_EVERY = 8

/** The value of a key: the number of the write and bytes that belong to it. */
export interface TrialValue {
  readonly n: number
  readonly pad: Uint8Array
}

export interface TrialWrite {
  readonly n: number
  readonly key: string
  readonly type: 'set' | 'delete'
}

/** Writes of one turn of the event loop, in the order in which a peer applies them: sets first. */
export function trialBurst(round: number, burst: number): TrialWrite[] {
  if (burst >= BURSTS_PER_ROUND_MAX) throw new Error('The round has lasted too long')
  const first = (round * BURSTS_PER_ROUND_MAX + burst) * WRITES_PER_BURST
  return Array.from({ length: WRITES_PER_BURST }, (_, i) => ({
    n: first + i,
    key: `key ${mixed(first + i) % KEYS}`,
    type: i < SETS_PER_BURST ? 'set' : 'delete',
  }))
}

export function trialValue(n: number): TrialValue {
  return { n, pad: new Uint8Array(padSizeBytes(n)).fill(n & 255) }
}

/** Throws unless the value is what write `n` has set under this key. */
export function checkTrialValue(key: string, value: TrialValue): void {
  const [round, burst] = [roundOf(value.n), burstOf(value.n)]
  const write = trialBurst(round, burst).find(({ n }) => n === value.n)
  const whole = value.pad.length === padSizeBytes(value.n) && value.pad.every((byte) => byte === (value.n & 255))
  if (write?.key !== key || write.type !== 'set' || !whole) throw new Error(`${key} holds what was never written to it`)
}

export function roundOf(n: number): number {
  return Math.floor(n / WRITES_PER_BURST / BURSTS_PER_ROUND_MAX)
}

function burstOf(n: number): number {
  return Math.floor(n / WRITES_PER_BURST) % BURSTS_PER_ROUND_MAX
}

function padSizeBytes(n: number): number {
  const chance = mixed(n + 0x1000_0000)
  return chance % LARGE_EVERY === 0 ? LARGE_SIZE_BYTES : chance % SMALL_SIZE_MAX_BYTES
}

/** Spreads a number over 32 bits. */
function mixed(n: number): number {
  let hash = Math.imul((n >>> 0) ^ Math.floor(n / 2 ** 32), 0x9e3779b1)
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca77)
  return (hash ^ (hash >>> 13)) >>> 0
}
