import { EligibleMembers, keySlot, partitionNumber } from '@gossipgrid/core/internals'
import type { EligibleMember } from '@gossipgrid/core/internals'

/** Where keys and partitions belong, as every runtime must find it. */
export interface Placed {
  /** The slot of each key of `KEYS`. */
  readonly slots: readonly number[]
  /** By grid: the owners of the first 16 partitions, each member a letter, in the order in which they own. */
  readonly owners: Readonly<Record<string, string>>
  /** By grid: a sum over the owners of all its partitions. */
  readonly sums: Readonly<Record<string, number>>
}

interface PlacedGrid {
  readonly partitions: number
  readonly ownersMax: number
  readonly weights: readonly number[]
  readonly zones: readonly string[]
}

const KEYS: readonly string[] = [
  '',
  '123456789',
  'foo',
  '{user1000}.following',
  'foo{}{bar}',
  'foo{{bar}}zap',
  'Zürich',
  '東京',
  'a😀b',
  '\u0000\uffff',
  '{Ω}:cart',
]

const SHOWN = 16
const GRIDS: Readonly<Record<string, PlacedGrid>> = {
  five: { partitions: 256, ownersMax: 3, weights: [1, 1, 1, 1, 1], zones: ['', '', '', '', ''] },
  weighted: { partitions: 1024, ownersMax: 2, weights: [0, 1, 2, 4, 8, 16], zones: ['', '', '', '', '', ''] },
  zones: {
    partitions: 4096,
    ownersMax: 3,
    weights: [1, 1, 3, 1, 1, 2, 1],
    zones: ['north', 'north', 'south', '', 'south', 'north', ''],
  },
  oneElsewhere: { partitions: 16, ownersMax: 3, weights: [1, 1, 1, 1], zones: ['a', 'a', 'a', 'b'] },
  few: { partitions: 16, ownersMax: 5, weights: [1, 2], zones: ['a', 'a'] },
}

/** What this runtime finds. */
export function placed(): Placed {
  const owners: Record<string, string> = {}
  const sums: Record<string, number> = {}
  for (const [name, grid] of Object.entries(GRIDS)) {
    const members = grid.weights.map((weight, i) => member(i, weight, grid.zones[i]!))
    const eligible = new EligibleMembers(members)
    const shown: string[] = []
    let sum = 0
    for (let index = 0; index < grid.partitions; index++) {
      const found = eligible.ownersOf(partitionNumber(grid.partitions, index), grid.ownersMax)
      const places = found.map((each) => members.findIndex(({ peerId }) => peerId === each.peerId))
      for (const place of places) sum = (Math.imul(sum, 31) + place + 1) >>> 0
      if (index < SHOWN) shown.push(places.map((place) => 'abcdefg'[place]!).join(''))
    }
    owners[name] = shown.join(' ')
    sums[name] = sum
  }
  return { slots: KEYS.map(keySlot), owners, sums }
}

function member(place: number, weight: number, zone: string): EligibleMember {
  return { peerId: `12D3KooWPlacementVector${place}`, weight, zone }
}

/** What every runtime must find, in every version: another answer would move the entries of every grid. */
export const GOLDEN: Placed = {
  slots: [0, 12739, 12182, 3443, 8363, 4015, 5420, 16157, 12667, 5127, 4504],
  owners: {
    five: 'aeb aeb eca bed cba cbe ecd adc cea dbc acd ced cbe bea bdc acb',
    weighted: 'fe ef fd cf fd df fd fe ef fe ef df fe fe fd fd',
    zones: 'geb feg feg dae cgb fdc cdb fcg cfg ead cga gcf cga gcf fdc gea',
    oneElsewhere: 'bdc dba dca dbc bda adb dcb dcb bdc dca dca dac bda cdb bdc dab',
    few: 'ba ba ab ba ba ba ba ba ba ba ba ab ba ba ba ab',
  },
  sums: { five: 2394665635, weighted: 586097929, zones: 1018358548, oneElsewhere: 3952203440, few: 2790705430 },
}
