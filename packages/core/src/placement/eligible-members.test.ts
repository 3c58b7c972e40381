import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SeededRandom } from '../bytes/seeded-random.ts'
import { WEIGHT_MAX } from '../limits.ts'
import { EligibleMembers } from './eligible-members.ts'
import type { EligibleMember } from './eligible-members.ts'

const weight = fc.oneof({ weight: 3, arbitrary: fc.constant(1) }, fc.nat(WEIGHT_MAX))
const zone = fc.constantFrom('', 'north', 'south', 'east')
const member = fc.record({ peerId: fc.string({ minLength: 1, maxLength: 4 }), weight, zone })
const members = fc.uniqueArray(member, { selector: ({ peerId }) => peerId, maxLength: 12 })
const partition = fc.integer({ min: 16, max: 8191 })
const ownersMax = fc.integer({ min: 1, max: 6 })

/** Two peer ids with the same score for partition 300. */
const TIED = ['p187', 'p4k3n']

function owners(of: readonly EligibleMember[], number: number, count: number): string[] {
  return new EligibleMembers(of).ownersOf(number, count).map(({ peerId }) => peerId)
}

/** So many members of the same weight, as a seed draws their ids. */
function drawn(count: number, random: SeededRandom): EligibleMember[] {
  return Array.from({ length: count }, () => ({
    peerId: `12D3KooW${random.uint32().toString(36)}${random.uint32().toString(36)}`,
    weight: 1,
    zone: '',
  }))
}

/** How many owned partitions each member has. */
function loads(of: readonly EligibleMember[], partitions: number, count: number): Map<string, number> {
  const eligible = new EligibleMembers(of)
  const load = new Map(of.map(({ peerId }) => [peerId, 0]))
  for (let index = 0; index < partitions; index++) {
    for (const { peerId } of eligible.ownersOf(partitions + index, count)) load.set(peerId, load.get(peerId)! + 1)
  }
  return load
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

describe('the owners of a partition', () => {
  it('are the same and in the same order, whatever the order of the members', () => {
    fc.assert(
      fc.property(
        members.chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length }))),
        partition,
        ownersMax,
        ([all, shuffled], number, count) => {
          expect(owners(shuffled, number, count)).toEqual(owners(all, number, count))
        },
      ),
    )
  })

  it('are different peers, as many as wanted or as there are, and never one of weight 0', () => {
    fc.assert(
      fc.property(members, partition, ownersMax, (all, number, count) => {
        const eligible = all.filter((each) => each.weight > 0)
        const found = owners(all, number, count)
        expect(new Set(found).size).toBe(Math.min(count, eligible.length))
        expect(found.length).toBe(new Set(found).size)
        expect(found.filter((peerId) => !eligible.some((each) => each.peerId === peerId))).toEqual([])
      }),
    )
  })

  it('are in as many zones as possible, and none is passed over that a wider choice of zones does not need', () => {
    fc.assert(
      fc.property(members, partition, ownersMax, (all, number, count) => {
        const zoneOf = new Map(all.map((each) => [each.peerId, each.zone]))
        // Without zones the order is that of the scores. The rule for zones, word by word, on top of it:
        const ranked = owners(
          all.map((each) => ({ ...each, zone: '' })),
          number,
          all.length,
        )
        const firstOfZone = ranked.filter(
          (peerId, i) => !ranked.slice(0, i).some((other) => zoneOf.get(other) === zoneOf.get(peerId)),
        )
        const passedOver = ranked.filter((peerId) => !firstOfZone.includes(peerId))
        const found = owners(all, number, count)
        expect(found).toEqual([...firstOfZone, ...passedOver].slice(0, count))
        const zones = new Set(found.map((peerId) => zoneOf.get(peerId)))
        expect(zones.size).toBe(Math.min(count, firstOfZone.length))
      }),
    )
  })

  it('change by a join only to the member that joins: at most one owner gives way to it', () => {
    fc.assert(
      fc.property(members, member, partition, ownersMax, (all, joiner, number, count) => {
        fc.pre(!all.some(({ peerId }) => peerId === joiner.peerId))
        const before = owners(all, number, count)
        const after = owners([...all, joiner], number, count)
        expect(after.filter((peerId) => peerId !== joiner.peerId && !before.includes(peerId))).toEqual([])
        expect(before.filter((peerId) => !after.includes(peerId)).length).toBeLessThanOrEqual(
          after.includes(joiner.peerId) ? 1 : 0,
        )
      }),
      { numRuns: 300 },
    )
  })

  it('change by more weight only to the member that has more', () => {
    fc.assert(
      fc.property(members, fc.nat(), partition, ownersMax, (all, at, number, count) => {
        fc.pre(all.length > 0)
        const grown = all[at % all.length]!
        const heavier = all.map((each) =>
          each === grown ? { ...each, weight: Math.min(WEIGHT_MAX, each.weight + 3) } : each,
        )
        const before = owners(all, number, count)
        const after = owners(heavier, number, count)
        expect(after.filter((peerId) => peerId !== grown.peerId && !before.includes(peerId))).toEqual([])
      }),
      { numRuns: 300 },
    )
  })

  it('go by the peer id when two members have the same score', () => {
    const tied = TIED.map((peerId) => ({ peerId, weight: 1, zone: '' }))
    const inZones = tied.map((each, i) => ({ ...each, zone: `${i}` }))
    for (const all of [tied, tied.toReversed(), inZones, inZones.toReversed()]) {
      expect(owners(all, 300, 1)).toEqual(TIED.slice(0, 1))
    }
    const weaker = { peerId: 'p0', weight: 1, zone: '1' }
    expect(owners([weaker, ...inZones], 300, 2)).toEqual(TIED)
  })
})

describe('how much a member owns', () => {
  it('moves with a join, on average over 100 of them, by at most 5 % more than needed', () => {
    const random = new SeededRandom(7)
    const moved = Array.from({ length: 100 }, (_, i) => {
      const [peers, partitions, count] = [4 + (i % 9), 256, 3]
      const before = drawn(peers, random)
      const joiner = drawn(1, random)[0]!
      const optimum = (partitions * count) / (peers + 1)
      return loads([...before, joiner], partitions, count).get(joiner.peerId)! / optimum
    })
    expect(mean(moved)).toBeLessThanOrEqual(1.05)
    expect(mean(moved)).toBeGreaterThanOrEqual(0.95)
  })

  it.each([
    [5, 128],
    [10, 256],
    [20, 256],
    [50, 1024],
  ])(
    'is on average over seeds, at the fullest of %i members and %i partitions, no more than chance allows',
    (peers, partitions) => {
      const random = new SeededRandom(peers)
      const count = 3
      const fullest = Array.from({ length: 12 }, () => {
        const load = [...loads(drawn(peers, random), partitions, count).values()]
        return Math.max(...load) / mean(load)
      })
      expect(mean(fullest)).toBeLessThanOrEqual(1 + Math.sqrt((2 * Math.log(peers) * peers) / (partitions * count)))
    },
  )

  it('follows its weight', () => {
    const random = new SeededRandom(3)
    const weights = [1, 2, 4, 8, 16, 3, 1, 5]
    const all = drawn(weights.length, random).map((each, i) => ({ ...each, weight: weights[i]! }))
    const sum = weights.reduce((total, each) => total + each)
    const load = loads(all, 4096, 1)
    for (const each of all) {
      const share = (4096 * each.weight) / sum
      expect(Math.abs(load.get(each.peerId)! - share)).toBeLessThan(4 * Math.sqrt(share))
    }
  })

  it('is as even in one collection as in another, however many partitions they have', () => {
    // Partition 17 of 64 and partition 17 of 128 are different partitions: their owners do not go together.
    const all = drawn(10, new SeededRandom(5))
    const eligible = new EligibleMembers(all)
    let same = 0
    for (let index = 0; index < 64; index++) {
      if (eligible.ownersOf(64 + index, 1)[0] === eligible.ownersOf(128 + index, 1)[0]) same += 1
    }
    expect(same).toBeLessThan(20)
  })
})
