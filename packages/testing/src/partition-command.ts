import { parseArgs } from 'node:util'
import { PARTITION_MUTANTS } from './partition-mutants.ts'
import type { PartitionMutantName } from './partition-mutants.ts'
import { simulatePartitions } from './partition-simulation.ts'
import type { PartitionSimulationResult } from './partition-options.ts'
import { UsageError } from './usage-error.ts'

const OPTIONS = {
  seed: { type: 'string' },
  seeds: { type: 'string' },
  first: { type: 'string' },
  peers: { type: 'string' },
  minutes: { type: 'string' },
  weeks: { type: 'boolean' },
  mutant: { type: 'string' },
  repairs: { type: 'boolean' },
  keyed: { type: 'boolean' },
  views: { type: 'boolean' },
  deletes: { type: 'boolean' },
  drops: { type: 'boolean' },
  follows: { type: 'boolean' },
  resends: { type: 'boolean' },
  leaves: { type: 'boolean' },
  json: { type: 'boolean' },
} as const

/** `npm run sim -- --partitions`: peers with partitioned collections. Returns its exit code. Throws `UsageError`. */
export function simulatePartitionsCommand(args: readonly string[]): number {
  const values = parse(args)
  const number = (name: 'seed' | 'seeds' | 'first' | 'peers' | 'minutes', min: number): number | undefined => {
    const value = values[name] === undefined ? undefined : Number(values[name])
    if (value === undefined || value >= min) return value
    throw new UsageError(`--${name} takes a number from ${min}, not '${values[name]}'`)
  }
  const { mutant } = values
  if (mutant !== undefined && !Object.hasOwn(PARTITION_MUTANTS, mutant)) {
    throw new UsageError(`there is no mutant '${mutant}', only ${Object.keys(PARTITION_MUTANTS).join(', ')}`)
  }
  const single = number('seed', 0)
  const first = single ?? number('first', 0) ?? 1
  const [peers, minutes] = [number('peers', 2), number('minutes', 0.1)]
  const weeks = values.weeks === undefined ? {} : { weeks: values.weeks }
  const repairs = values.repairs === true ? { hints: true, repairs: true } : {}
  const keyed = values.keyed === true ? { hints: true, keyed: true, weeks: false } : {}
  const { deletes, drops, follows, leaves, resends, views } = values
  const given = {
    ...(deletes === undefined ? {} : { deletes, hints: true, keyed: true }),
    ...(drops === undefined ? {} : { drops }),
    ...(follows === undefined ? {} : { follows }),
    ...(leaves === undefined ? {} : { leaves }),
    ...(resends === undefined ? {} : { resends, hints: true }),
    // One that leaves would be an owner less, which nothing marks.
    ...(views === undefined ? {} : { views, leaves: false, memory: false }),
    ...repairs,
    ...keyed,
    ...weeks,
    ...(peers === undefined ? {} : { peers }),
    ...(minutes === undefined ? {} : { minutes }),
  }
  const results: PartitionSimulationResult[] = []
  for (let i = 0; i < (single === undefined ? (number('seeds', 1) ?? 1) : 1); i++) {
    const result = withPartitionMutant(mutant as PartitionMutantName | undefined, () =>
      simulatePartitions({ seed: first + i, ...given }),
    )
    results.push(result)
    if (values.json === true || result.violations.length === 0) continue
    for (const violation of result.violations) console.log(`  ${violation}`)
    console.log(`seed ${result.seed} FAILED`)
  }
  const failed = results.filter(({ violations }) => violations.length > 0).map(({ seed }) => seed)
  const sum = (of: (result: PartitionSimulationResult) => number): number =>
    results.reduce((total, result) => total + of(result), 0)
  const [only] = results
  const totals = {
    seeds: results.length,
    first,
    failed,
    writes: sum(({ writes }) => writes),
    acknowledged: sum(({ acknowledged }) => acknowledged),
    lost: sum(({ lost }) => lost),
    excused: sum(({ excused }) => excused),
    hinted: sum(({ hinted }) => hinted),
    reads: sum(({ reads }) => reads),
    unreachable: sum(({ unreachable }) => unreachable),
    wholes: sum(({ wholes }) => wholes),
    leaves: sum(({ leaves }) => leaves),
    weeks: sum(({ weeks: passed }) => passed),
    purged: sum(({ purged }) => purged),
    followed: sum(({ followed }) => followed),
    resets: sum(({ resets }) => resets),
    lostDisks: sum(({ lostDisks }) => lostDisks),
    settleSecondsMax: Math.max(...results.map(({ settleSeconds }) => settleSeconds)),
  }
  console.log(JSON.stringify(results.length === 1 ? only : totals))
  return failed.length > 0 ? 1 : 0
}

function parse(args: readonly string[]): ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>['values'] {
  try {
    return parseArgs({ args: [...args], options: OPTIONS }).values
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

/** Runs it while a bug is planted in core. */
export function withPartitionMutant<T>(name: PartitionMutantName | undefined, run: () => T): T {
  const restore = name === undefined ? undefined : PARTITION_MUTANTS[name]()
  try {
    return run()
  } finally {
    restore?.()
  }
}
