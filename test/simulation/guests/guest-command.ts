import { parseArgs } from 'node:util'
import { GUEST_MUTANTS, withGuestMutant } from './guest-mutants.ts'
import type { GuestMutantName } from './guest-mutants.ts'
import { simulateGuests } from './guest-simulation.ts'

const USAGE = `npm run sim -- --guests [options]: guests of a grid, moving between the members that serve them
  --seed N         one simulation
  --seeds N        so many, from --first on (default 1)
  --first N        (default 1)
  --seconds S      simulated seconds with faults (default 60)
  --weeks          weeks pass in between; in some seeds if left out
  --documents      they edit documents too
  --partitioned    they use a partitioned map too
  --hostile        one more guest is hostile
  --mutant NAME    with a planted bug: ${Object.keys(GUEST_MUTANTS).join(', ')}`

const OPTIONS = {
  seed: { type: 'string' },
  seeds: { type: 'string' },
  first: { type: 'string' },
  seconds: { type: 'string' },
  weeks: { type: 'boolean' },
  documents: { type: 'boolean' },
  partitioned: { type: 'boolean' },
  hostile: { type: 'boolean' },
  mutant: { type: 'string' },
  help: { type: 'boolean' },
} as const

/** The command `npm run sim -- --guests`. Resolves to its exit code. */
export async function simulateGuestsCommand(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: OPTIONS })
  const { mutant } = values
  const numbers = [values.seed, values.seeds, values.first, values.seconds].map((text) => Number(text ?? 1))
  const isWrong =
    numbers.some((number) => !(number > 0)) || (mutant !== undefined && !Object.hasOwn(GUEST_MUTANTS, mutant))
  if (values.help === true || isWrong) {
    console.log(USAGE)
    return isWrong ? 2 : 0
  }
  const first = Number(values.seed ?? values.first ?? 1)
  const count = values.seed === undefined ? Number(values.seeds ?? 1) : 1
  const options = {
    ...(values.seconds === undefined ? {} : { seconds: Number(values.seconds) }),
    ...(values.weeks === undefined ? {} : { weeks: values.weeks }),
    ...(values.documents === undefined ? {} : { documents: values.documents }),
    ...(values.hostile === undefined ? {} : { hostile: values.hostile }),
    ...(values.partitioned === undefined ? {} : { partitioned: values.partitioned }),
  }
  const totals = {
    seeds: 0,
    writes: 0,
    taken: 0,
    refused: 0,
    edits: 0,
    refusedEdits: 0,
    queries: 0,
    replies: 0,
    attempts: 0,
    messages: 0,
  }
  const failed: number[] = []
  for (let seed = first; seed < first + count; seed++) {
    const result = await withGuestMutant(mutant as GuestMutantName | undefined, () =>
      simulateGuests({ seed, ...options }),
    )
    totals.seeds += 1
    for (const name of [
      'writes',
      'taken',
      'refused',
      'edits',
      'refusedEdits',
      'queries',
      'replies',
      'attempts',
      'messages',
    ] as const)
      totals[name] += result[name]
    if (result.violations.length === 0) continue
    failed.push(seed)
    for (const violation of result.violations) console.log(`  ${violation}`)
    console.log(`seed ${seed} FAILED`)
  }
  console.log(JSON.stringify({ ...totals, failed }))
  return failed.length > 0 ? 1 : 0
}
