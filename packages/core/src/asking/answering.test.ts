import { expect, it } from 'vitest'
import { COMPARE_PATIENCE_MS } from '../limits.ts'
import { NeighbourTable } from '../members/neighbour-table.ts'
import { PartitionCopies } from '../placement/partition-copies.ts'
import type { Rendezvous } from '../placement/rendezvous.ts'
import { users } from '../rig/owning-peers.ts'
import { Answering } from './answering.ts'
import type { Manner } from '../wire/read-messages.ts'
import { Currency } from './currency.ts'

const start = { wallMs: 0, monotonicMs: 0 }
const later = { wallMs: 0, monotonicMs: 2 * COMPARE_PATIENCE_MS }

const antiEntropy = { compare: () => undefined, isReceivingFrom: () => false }
const membership = { get: () => undefined }

/** It has not stood still meanwhile. */
function runUntilLater(currency: Currency): void {
  for (let ms = 1000; ms < later.monotonicMs; ms += 1000) currency.tick({ wallMs: ms, monotonicMs: ms })
}

/** A peer that has a whole copy and owns it no more. */
function former(wholeHolders: readonly string[], ...owners: readonly string[]) {
  const placement = {
    changes: 0,
    copies: new PartitionCopies(),
    isExpected: (peer: string) => peer !== 'away',
    isWhole: () => true,
    owners: () => new Set(['owner', ...owners]),
    partialHolders: () => [],
    registered: () => undefined,
    wholeHolders: () => wholeHolders,
  } as unknown as Rendezvous
  const neighbours = new NeighbourTable()
  const currency = new Currency({ antiEntropy, membership, neighbours, peerId: 'former', placement }, start)
  runUntilLater(currency)
  const answering = new Answering({ currency, peerId: 'former', placement })
  const ask = (now = later, manner: Manner = { passed: true }): unknown => {
    const answers: unknown[] = []
    const answer = (found: readonly unknown[]): unknown => answers.push(found[0])
    const asked = { items: [{ name: users(3) }], manner, answerOf: () => 'its copy', answer }
    answering.asked('reader', asked, { full: false, ask: () => undefined }, now)
    return answers[0]
  }
  return { ask, currency, neighbours }
}

it('a former owner answers in touch with an owner, and not otherwise: that may have taken what it has not', () => {
  const { ask, currency, neighbours } = former([])
  expect(ask()).toBeUndefined()
  neighbours.connected('owner', later)
  expect(ask()).toBeUndefined()
  currency.met('owner', 0)
  expect(ask()).toBe('its copy')
})

it('a former owner that was not in reach of another whole copy does not answer, unless that is away for good', () => {
  for (const [other, answer] of [
    ['other', undefined],
    ['away', 'its copy'],
  ] as const) {
    const { ask, currency, neighbours } = former([other])
    neighbours.connected('owner', later)
    currency.met('owner', 0)
    expect(ask()).toBe(answer)
    currency.met(other, 0)
    expect(ask()).toBe('its copy')
  }
})

it('a former owner does not answer while an owner is whole', () => {
  const { ask, currency, neighbours } = former(['owner'])
  neighbours.connected('owner', start)
  currency.met('owner', 0)
  expect(ask()).toBeUndefined()
})

it('a peer that takes itself for an owner answers as a former one when it is asked as such', () => {
  const { ask, currency, neighbours } = former(['other'], 'former')
  neighbours.connected('owner', start)
  expect(ask()).toBeUndefined()
  currency.met('reader', 0)
  expect(ask()).toBe('its copy')
  expect(ask(later, { passed: true, former: true })).toBeUndefined()
})

it('an owner does not answer before it has met a peer that was to own the partition for a while, unless that is away', () => {
  for (const [other, answer] of [
    ['other', undefined],
    ['away', 'its copy'],
  ] as const) {
    const placement = {
      changes: 0,
      copies: new PartitionCopies(),
      isExpected: (peer: string) => peer !== 'away',
      isWhole: () => true,
      owners: () => new Set(['self']),
      partialHolders: () => [other],
      wholeHolders: () => [],
    } as unknown as Rendezvous
    const neighbours = new NeighbourTable()
    const currency = new Currency({ antiEntropy, membership, neighbours, peerId: 'self', placement }, start)
    runUntilLater(currency)
    expect(currency.mayRead(users(3), later) ? 'its copy' : undefined).toBe(answer)
    currency.met(other, 0)
    expect(currency.mayRead(users(3), later)).toBe(true)
  }
})
