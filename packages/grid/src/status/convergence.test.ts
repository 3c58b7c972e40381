import type { Lag } from '@gossipgrid/core'
import { expect, it } from 'vitest'
import { convergenceOf } from './convergence.ts'
import type { Convergence } from './convergence.ts'

const NOW_MS = 1_000_000
const PEER = '12D3KooWGzBsKBVXBRLkSRHCHLuxwHLJcYZbqXMuTQvqXSHKeXyz'

function lag(peerId: string, ageMs: number, changes: Partial<Lag> = {}): Lag {
  return { peerId, reportedAtMs: NOW_MS - ageMs, behind: 0, ahead: 0, unequal: 0, ...changes }
}

interface Case {
  readonly name: string
  readonly neighbours: readonly string[]
  readonly lags: readonly Lag[]
  /** How long all of them have been connected; an hour unless said otherwise. */
  readonly connectedMs?: number
  readonly says: Partial<Convergence>
}

const cases: readonly Case[] = [
  {
    name: 'no other peer is there',
    neighbours: [],
    lags: [],
    says: {
      state: 'alone',
      neighbours: 0,
      asOfMs: undefined,
      text: 'no other peer is connected; nothing is known to be missing',
    },
  },
  {
    name: 'all have reported the same, and the oldest report counts',
    neighbours: ['a', 'b', 'c', 'd'],
    lags: [lag('a', 100), lag('b', 2100), lag('c', 0), lag('d', 700)],
    says: { state: 'equal', equal: 4, unknown: 0, asOfMs: 2100, text: 'equal to all 4 neighbours as of 2.1 s ago' },
  },
  {
    name: 'there is one neighbour',
    neighbours: ['a'],
    lags: [lag('a', 400)],
    says: { state: 'equal', text: 'equal to the only neighbour as of 0.4 s ago' },
  },
  {
    name: 'a peer that is no neighbour does not make equal',
    neighbours: [],
    lags: [lag('a', 400)],
    says: { state: 'alone', equal: 0 },
  },
  {
    name: 'one has writes that are missing here',
    neighbours: ['a', PEER],
    lags: [lag('a', 3000, { behind: 3 }), lag(PEER, 400, { behind: 1204, ahead: 7 })],
    says: {
      state: 'behind',
      asOfMs: 400,
      worst: { peerId: PEER, writes: 1204 },
      text: '1,204 writes behind 12D3…HKeXyz as of 0.4 s ago',
    },
  },
  {
    name: 'writes stay missing when the one that has them is gone',
    neighbours: [],
    lags: [lag('a', 25_000, { behind: 1 })],
    says: { state: 'behind', neighbours: 0, text: '1 write behind a as of 25 s ago' },
  },
  {
    name: 'one has not said yet',
    neighbours: ['a', 'b', 'c', 'd'],
    lags: [lag('a', 100), lag('b', 200), lag('c', 300)],
    says: {
      state: 'unknown',
      equal: 3,
      unknown: 1,
      asOfMs: 300,
      text: '3 of 4 neighbours equal as of 0.3 s ago, 1 has not said yet',
    },
  },
  {
    name: 'what one said before it was connected is no ground for equality',
    neighbours: ['a', 'b'],
    lags: [lag('a', 100), lag('b', 2000)],
    connectedMs: 1000,
    says: {
      state: 'unknown',
      equal: 1,
      unknown: 1,
      text: '1 of 2 neighbours equal as of 0.1 s ago, 1 has not said yet',
    },
  },
  {
    name: 'no peer has reported anything',
    neighbours: ['a', 'b'],
    lags: [],
    says: { state: 'unknown', unknown: 2, asOfMs: undefined, text: '0 of 2 neighbours equal, 2 have not said yet' },
  },
  {
    name: 'an old word is no ground for equality',
    neighbours: ['a', 'b', 'c'],
    lags: [lag('a', 100), lag('b', 41_000), lag('c', 200, { ahead: 2 })],
    says: {
      state: 'unknown',
      equal: 1,
      unknown: 1,
      text: '1 of 3 neighbours equal as of 0.2 s ago, 1 behind this peer, 1 silent for 41 s',
    },
  },
  {
    name: 'a neighbour lacks writes of this peer',
    neighbours: ['a', 'b'],
    lags: [lag('a', 500, { ahead: 12 }), lag('b', 1000)],
    says: {
      state: 'ahead',
      equal: 1,
      asOfMs: 1000,
      worst: { peerId: 'a', writes: 12 },
      text: 'nothing is missing here; 12 writes ahead of a as of 1.0 s ago',
    },
  },
  {
    name: 'the same writes and other entries are worse than anything',
    neighbours: ['a', 'b'],
    lags: [lag('a', 500, { unequal: 1 }), lag('b', 1000, { behind: 4 })],
    says: {
      state: 'differs',
      equal: 0,
      text: 'other entries than a after the same writes, as of 0.5 s ago; one is damaged',
    },
  },
  {
    name: 'minutes are shown as minutes',
    neighbours: [],
    lags: [lag('a', 600_000, { behind: 2000 })],
    says: { text: '2,000 writes behind a as of 10 min ago' },
  },
]

it.each(cases)('$name', ({ neighbours, lags, connectedMs = 3_600_000, says }) => {
  const since = new Map(neighbours.map((peerId) => [peerId, NOW_MS - connectedMs]))
  expect(convergenceOf({ neighbours: since, lags, nowMs: NOW_MS, staleAfterMs: 10_000 })).toMatchObject(says)
})
