import { parseArgs } from 'node:util'
import { fuzz } from './fuzz.ts'

const USAGE = `npm run fuzz -- [options]

  --inputs N   how many inputs (default 100000)
  --seed S     repeat the run of this seed (default 1)
  --fresh      a random seed, which is printed`

function main(args: readonly string[]): number {
  const { values } = parseArgs({
    args: [...args],
    options: {
      inputs: { type: 'string', default: '100000' },
      seed: { type: 'string', default: '1' },
      fresh: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  const inputs = Number(values.inputs)
  const seed = values.fresh ? Math.floor(Math.random() * 0x100000000) : Number(values.seed)
  const whole = (value: number, max: number): boolean => Number.isInteger(value) && value >= 0 && value <= max
  if (values.help || !whole(inputs, 1e9) || !whole(seed, 0xffffffff)) {
    console.log(USAGE)
    return values.help ? 0 : 2
  }
  console.log(`seed ${seed}, ${inputs} inputs`)
  const { finding, ...figures } = fuzz({ seed, inputs })
  if (finding !== '') console.log(`${finding}\nTo repeat it: npm run fuzz -- --seed ${seed} --inputs ${inputs}`)
  console.log(JSON.stringify({ seed, ...figures, slowestMs: Math.round(figures.slowestMs) }))
  return finding === '' ? 0 : 1
}

try {
  process.exitCode = main(process.argv.slice(2))
} catch (error) {
  // The error of `parseArgs` for an unknown option.
  console.error(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`)
  process.exitCode = 2
}
