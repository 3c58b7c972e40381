import process from 'node:process'
import { parseArgs } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { MemoryRecord } from './memory-record.ts'
import { simulateCalendar } from './calendar.ts'
import type { CalendarResult } from './calendar.ts'
import { MUTANTS, withMutant } from './mutants.ts'
import type { MutantName } from './mutants.ts'
import { PARTITION_MUTANTS } from './partition-mutants.ts'
import { simulatePartitionsCommand } from './partition-command.ts'
import { Summary, round } from './sim-summary.ts'
import { SIMULATED_KINDS } from './simulated-collection.ts'
import { simulate } from './simulator.ts'
import type { SimulationOptions, SimulationResult } from './simulator.ts'
import { UsageError } from './usage-error.ts'

const SOAK_MINUTES = 180
/** Retired replica ids stay in vectors, so memory still grows a little where disks get lost. */
const SOAK_GROWTH_MAX = 0.1

/** Makes the applications of a kind that are not in this package. */
export type FurtherKinds = Readonly<Record<string, NonNullable<SimulationOptions['more']>>>

const usage = (further: FurtherKinds): string => `npm run sim -- [options]

One simulation:
  --seed S          run the simulation of this seed
Many:
  --seeds N         run N seeds (default 1)
  --first S         the first of them (default 1)
  --fresh           start at a random seed, which is printed
  --wall-seconds T  go on with further seeds until T seconds have passed
For each:
  --peers N         number of peers, 2 to 100 (default: drawn from the seed, 3 to 12)
  --minutes M       simulated minutes before everything is healed (default 3)
  --soak            three hours unless --minutes says otherwise, with memory sampled; fails if it goes on growing
  --kinds LIST      what the applications use: all, or some of ${kindNames(further).join(', ')} (default map)
  --calendar        weeks with a minute or two a day, and peers that are away for weeks, instead of minutes of trouble
  --days D          of the calendar, 50 to 1000 (default 70; from 140 on a durable peer leaves for good)
  --visitors V      of the calendar: peers that come and go, 0 to 90 (default 20)
  --partitions      partitioned collections; with --seed, --seeds, --first, --peers, --minutes, --json, --repairs, --keyed, --deletes, --weeks, --leaves, --views, --drops, --follows, and the mutants
                    ${Object.keys(PARTITION_MUTANTS).join(', ')}
  --gossip          peers send everything by gossip; otherwise frames may go straight to neighbours
  --mutant NAME     with a planted bug: ${Object.keys(MUTANTS).join(', ')}
  --json            print nothing but one JSON object`

interface Command {
  readonly first: number
  readonly seeds: number
  readonly wallSeconds: number
  readonly json: boolean
  readonly soak: boolean
  readonly calendar: boolean
  readonly days: number | undefined
  readonly visitors: number | undefined
  readonly mutant: MutantName | undefined
  /** The arguments of the command line. */
  readonly kinds: string | undefined
  readonly options: Omit<SimulationOptions, 'seed'>
}

const OPTIONS = {
  seed: { type: 'string' },
  seeds: { type: 'string' },
  first: { type: 'string' },
  fresh: { type: 'boolean' },
  'wall-seconds': { type: 'string' },
  peers: { type: 'string' },
  minutes: { type: 'string' },
  soak: { type: 'boolean' },
  kinds: { type: 'string' },
  calendar: { type: 'boolean' },
  days: { type: 'string' },
  visitors: { type: 'string' },
  gossip: { type: 'boolean' },
  mutant: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean' },
} as const

function readCommand(args: readonly string[], further: FurtherKinds): Command | undefined {
  const { values } = parse(args)
  if (values.help === true) return undefined
  const number = (name: keyof typeof values, min: number, max: number, whole: boolean = true): number | undefined => {
    const text = values[name]
    if (text === undefined) return undefined
    const value = typeof text === 'string' && text.trim() !== '' ? Number(text) : Number.NaN
    if (value >= min && value <= max && (!whole || Number.isInteger(value))) return value
    throw new UsageError(`--${name} takes a ${whole ? 'whole ' : ''}number from ${min} to ${max}, not '${text}'`)
  }
  const single = number('seed', 0, 0xffffffff)
  const many = ['seeds', 'first', 'fresh', 'wall-seconds'] as const
  const clash = many.find((name) => values[name] !== undefined)
  if (single !== undefined && clash !== undefined) throw new UsageError(`--seed and --${clash} exclude each other`)
  if (values.fresh === true && values.first !== undefined)
    throw new UsageError('--fresh and --first exclude each other')
  const calendar = values.calendar === true
  const other = (['peers', 'minutes', 'kinds', 'soak', 'gossip'] as const).find((name) => values[name] !== undefined)
  if (calendar && other !== undefined) throw new UsageError(`--calendar and --${other} exclude each other`)
  const days = number('days', 50, 1000)
  const visitors = number('visitors', 0, 90)
  if ((days ?? visitors) !== undefined && !calendar) throw new UsageError('--days and --visitors go with --calendar')
  const drawn = values.fresh === true ? Math.floor(Math.random() * 0xf0000000) : 1
  const peers = number('peers', 2, 100)
  const soak = values.soak === true
  const minutes = number('minutes', 0.1, 1000, false) ?? (soak ? SOAK_MINUTES : undefined)
  return {
    first: single ?? number('first', 0, 0xffffffff) ?? drawn,
    seeds: number('seeds', 1, 1_000_000) ?? 1,
    wallSeconds: number('wall-seconds', 0, 1_000_000, false) ?? 0,
    json: values.json ?? false,
    soak,
    calendar,
    days,
    visitors,
    mutant: readMutant(values.mutant),
    kinds: values.kinds,
    options: {
      ...(peers === undefined ? {} : { peers }),
      ...(minutes === undefined ? {} : { minutes }),
      direct: values.gossip !== true,
      ...(values.kinds === undefined ? {} : readKinds(values.kinds, further)),
    },
  }
}

function parse(args: readonly string[]): ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>> {
  try {
    return parseArgs({ args: [...args], options: OPTIONS })
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

function readMutant(name: string | undefined): MutantName | undefined {
  if (name === undefined || Object.hasOwn(MUTANTS, name)) return name as MutantName | undefined
  throw new UsageError(`there is no mutant '${name}', only ${Object.keys(MUTANTS).join(', ')}`)
}

function kindNames(further: FurtherKinds): string[] {
  return [...SIMULATED_KINDS, ...Object.keys(further)]
}

function readKinds(list: string, further: FurtherKinds): Pick<SimulationOptions, 'kinds' | 'more'> {
  const known = kindNames(further)
  const names = list === 'all' ? known : list.split(',')
  const unknown = names.find((name) => !known.includes(name))
  if (unknown !== undefined) throw new UsageError(`there is no kind '${unknown}', only ${known.join(', ')}`)
  const kinds = SIMULATED_KINDS.filter((kind) => names.includes(kind))
  const makers = Object.keys(further).flatMap((name) => (names.includes(name) ? [further[name]!] : []))
  return { kinds, more: (ledger) => makers.flatMap((make) => make(ledger)) }
}

/** The command that repeats a run. */
function replayOf(seed: number, command: Command): string {
  const { peers, minutes } = command.options
  const parts = ['npm run sim --', `--seed ${seed}`]
  if (command.calendar) parts.push('--calendar')
  if (command.days !== undefined) parts.push(`--days ${command.days}`)
  if (command.visitors !== undefined) parts.push(`--visitors ${command.visitors}`)
  if (peers !== undefined) parts.push(`--peers ${peers}`)
  if (minutes !== undefined) parts.push(`--minutes ${minutes}`)
  if (command.kinds !== undefined) parts.push(`--kinds ${command.kinds}`)
  if (command.options.direct === false && !command.calendar) parts.push('--gossip')
  if (command.mutant !== undefined) parts.push(`--mutant ${command.mutant}`)
  return parts.join(' ')
}

function run(command: Command): number {
  const say = (line: string): void => {
    if (!command.json) console.log(line)
  }
  const summary = new Summary()
  const { first, seeds, wallSeconds } = command
  const last = (first + seeds - 1).toString()
  say(seeds > 1 || wallSeconds > 0 ? `seeds ${first} to ${last}${wallSeconds > 0 ? ', and on' : ''}` : `seed ${first}`)
  for (let i = 0; i < seeds || summary.wallSeconds < wallSeconds; i++) {
    const seed = (first + i) % 0x100000000
    const result = command.calendar ? runCalendar(seed, command, say) : runMinutes(seed, command, summary, say)
    summary.add(result)
    if (result.violations.length > 0) {
      for (const violation of result.violations) say(`  ${violation}`)
      say(`seed ${seed} FAILED. To repeat it: ${replayOf(seed, command)}`)
    } else if ((i + 1) % 10 === 0) {
      const inUse = `${megabytes(bytesInUse())} MB in use`
      say(`${i + 1} seeds, ${summary.failed.length} failed, ${Math.round(summary.wallSeconds)} s, ${inUse}`)
    }
  }
  const passed = summary.ran - summary.failed.length
  say(`${passed} of ${summary.ran} passed`)
  if (command.json && summary.failed.length > 0) {
    for (const seed of summary.failed) console.error(`seed ${seed} FAILED. To repeat it: ${replayOf(seed, command)}`)
  }
  console.log(JSON.stringify(summary.json()))
  return summary.failed.length > 0 ? 1 : 0
}

function mutated<T>({ mutant }: Command, simulation: () => T): T {
  return mutant === undefined ? simulation() : withMutant(mutant, simulation)
}

function runMinutes(seed: number, command: Command, summary: Summary, say: (line: string) => void): SimulationResult {
  const record = command.soak ? new MemoryRecord(bytesInUse) : undefined
  const options = { ...command.options, seed, ...(record === undefined ? {} : soaking(record, say)) }
  const result = mutated(command, () => simulate(options))
  if (record !== undefined && !settled(record, say)) summary.failed.push(seed)
  return result
}

function runCalendar(seed: number, command: Command, say: (line: string) => void): CalendarResult {
  const options = {
    seed,
    ...(command.days === undefined ? {} : { days: command.days }),
    ...(command.visitors === undefined ? {} : { visitors: command.visitors }),
    onDay: (day: number, tombstones: number) => {
      if (command.seeds === 1 && day % 7 === 0) say(`  day ${day}: ${tombstones} tombstones`)
    },
  }
  return mutated(command, () => simulateCalendar(options))
}

/** Samples memory every ten simulated minutes. The ledger must not grow meanwhile. */
function soaking(record: MemoryRecord, say: (line: string) => void): Partial<SimulationOptions> {
  return {
    ledgerWritesMax: 100,
    onMinute: (minute) => {
      if (minute % 10 !== 0) return
      record.sample(minute)
      say(`  minute ${minute}: ${megabytes(record.samples.at(-1)!.bytes)} MB in use`)
    },
  }
}

function settled({ growth, samples }: MemoryRecord, say: (line: string) => void): boolean {
  if (growth === undefined) throw new UsageError('a soak needs at least 90 minutes')
  const peak = megabytes(Math.max(...samples.map(({ bytes }) => bytes)))
  const flat = growth <= SOAK_GROWTH_MAX
  const limit = `${round(SOAK_GROWTH_MAX * 100)} %`
  say(`  memory: at most ${peak} MB; the last third is ${round(growth * 100)} % above the one before (limit ${limit})`)
  if (!flat) say('  memory GROWS')
  return flat
}

function megabytes(bytes: number): number {
  return round(bytes / 1e6)
}

/** Bytes of everything reachable: objects, and the buffers outside the heap. */
export function bytesInUse(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  // The first collection finds unused buffers outside the heap, the second one frees them.
  collect()
  collect()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

/** The command `npm run sim`. Returns its exit code. `further` makes the applications of kinds that are not in this package. */
export function simulateCommand(args: readonly string[], further: FurtherKinds): number {
  try {
    if (args.includes('--partitions')) return simulatePartitionsCommand(args.filter((arg) => arg !== '--partitions'))
    const command = readCommand(args, further)
    if (command !== undefined) return run(command)
    console.log(usage(further))
    return 0
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    console.error(`${error.message}\n\n${usage(further)}`)
    return 2
  }
}
