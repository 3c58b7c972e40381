/**
 * `npm run fuzz:ports -- --seconds 60 --seed 1`, also with Deno and Bun: attacks the ports of a peer as `port-fuzz.ts` says
 * and prints figures as one line of JSON. The process ends with 1 when a true peer is not served, or by an uncaught error.
 */
import { parseArgs } from 'node:util'
import { fuzzPorts } from './port-fuzz.ts'

const { values } = parseArgs({
  options: {
    attacks: { type: 'string' },
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
  },
})
const endMs = performance.now() + Number(values.seconds) * 1000
const figures = await fuzzPorts({
  seed: Number(values.seed),
  enough: (attacks) => (values.attacks === undefined ? performance.now() > endMs : attacks >= Number(values.attacks)),
})
console.log(JSON.stringify(figures))
