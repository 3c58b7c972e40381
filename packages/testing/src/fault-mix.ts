import type { Random } from './random.ts'

/** The kinds of faults that a simulation can inject. */
export const FAULT_KINDS = [
  'broadcast-loss',
  'broadcast-duplication',
  'broadcast-reordering',
  'deaf-broadcast',
  'congestion',
  'connection-break',
  'half-open',
  'split',
  'one-way-split',
  'slow-links',
  'sparse-links',
  'crash',
  'restart',
  'power-cut',
  'torn-write',
  'damaged-blob',
  'lost-disk',
  'restored-disk',
  'full-disk',
  'slow-disk',
  'clock-skew',
  'clock-jump',
  'clock-stop',
  'clock-ahead',
  'coarse-clock',
  'write-burst',
  'memory-peers',
] as const

export type FaultKind = (typeof FAULT_KINDS)[number]

/** Without these kinds the other faults have hardly anything to disturb. */
const FAULTS_MIN = 3

/** After faults of these kinds a durable copy may be gone. */
export const DISK_FAULTS: readonly FaultKind[] = ['torn-write', 'damaged-blob', 'lost-disk', 'restored-disk']

/** The faults of one simulation: each kind that is on has an intensity in (0, 1]. */
export type FaultMix = ReadonlyMap<FaultKind, number>

/**
 * Swarm testing (Groce and others, 2012): a random subset of all kinds, each at random strength. Mixes that lack some
 * kinds reach states that a mix of everything never does.
 */
export function drawFaultMix(random: Random): FaultMix {
  const count = FAULTS_MIN + random.mostlySmall(0, FAULT_KINDS.length - FAULTS_MIN)
  const chosen = random.shuffle(FAULT_KINDS).slice(0, count)
  return new Map(chosen.map((kind) => [kind, 0.1 + 0.9 * random.fraction()]))
}
