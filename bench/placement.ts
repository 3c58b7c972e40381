import { EligibleMembers, partitionIndex, partitionNumber } from '@gossipgrid/core/internals'
import type { EligibleMember } from '@gossipgrid/core/internals'
import type { Bench, Figures } from './bench.ts'
import { keyOf } from './sample.ts'

const KEYS = 100_000
const LOOKUPS = 2_000_000
const PARTITIONS = 256
const OWNERS = 3
const MEMBERS = 100
const ROUNDS = 20

/** Which partition a key is in, and which peers own the partitions: pure functions, in one thread. */
export const placement: Bench = {
  name: 'placement',
  summary: 'core alone: the partition of a key, and the owners of all partitions of a collection',
  runsDefault: 5,
  run: async () => ({
    ...lookupFigures('', (index) => keyOf(index)),
    ...lookupFigures('Tag', (index) => `{${keyOf(index)}}:orders`),
    ...lookupFigures('Text', (index) => `Ключ ${index}`),
    ...ownersFigures('', () => 1),
    ...ownersFigures('Weighted', () => 16),
    ...ownersFigures('Zones', (index) => 1 + (index % 4)),
  }),
}

function lookupFigures(suffix: string, keyAt: (index: number) => string): Figures {
  const keys = Array.from({ length: KEYS }, (_, index) => keyAt(index))
  const counts = new Uint32Array(PARTITIONS)
  const startMs = performance.now()
  for (let i = 0; i < LOOKUPS; i++) counts[partitionIndex(keys[i % KEYS]!, PARTITIONS)]! += 1
  const tookMs = performance.now() - startMs
  if (counts.some((count) => count === 0)) throw new Error('a partition has no key')
  return { [`lookup${suffix}Ns`]: (tookMs / LOOKUPS) * 1e6 }
}

/** All partitions at once, as after a change of the members; the members' hashes are computed again too. */
function ownersFigures(suffix: string, weightAt: (index: number) => number): Figures {
  const members = Array.from({ length: MEMBERS }, (_, index): EligibleMember => {
    const zone = suffix === 'Zones' ? `zone ${index % 5}` : ''
    return { peerId: `12D3KooWBench${keyOf(index)}`, weight: weightAt(index), zone }
  })
  let owners = 0
  let bestMs = Infinity
  for (let round = 0; round < ROUNDS; round++) {
    const startMs = performance.now()
    const eligible = new EligibleMembers(members)
    for (let index = 0; index < PARTITIONS; index++) {
      owners += eligible.ownersOf(partitionNumber(PARTITIONS, index), OWNERS).length
    }
    bestMs = Math.min(bestMs, performance.now() - startMs)
  }
  if (owners !== ROUNDS * PARTITIONS * OWNERS) throw new Error('a partition is short of owners')
  return { [`owners256Of100${suffix}Ms`]: bestMs }
}
