import { describe, expect, it } from 'vitest'
import { COMPARE_PATIENCE_MAX_MS, COMPARE_PATIENCE_MS, OUT_OF_TOUCH_MS } from '../limits.ts'
import type { Instant } from '../instant.ts'
import { NeighbourTable } from '../members/neighbour-table.ts'
import { PartitionCopies } from '../placement/partition-copies.ts'
import type { Rendezvous } from '../placement/rendezvous.ts'
import { users } from '../rig/owning-peers.ts'
import { Currency } from './currency.ts'

function at(monotonicMs: number): Instant {
  return { wallMs: monotonicMs, monotonicMs }
}

/** A peer with a whole copy of one partition, at time 0. What it takes others for can be changed. */
class Answerer {
  readonly neighbours = new NeighbourTable()
  readonly states: Map<string, 'alive' | 'gone'> = new Map()
  readonly roles: Map<string, 'storage' | 'light'> = new Map()
  readonly compared: string[] = []
  owners: readonly string[] = ['self']
  wholeHolders: readonly string[] = []
  partialHolders: readonly string[] = []
  receiving = false
  #changes = 0
  #ranUntilMs = 0
  readonly currency: Currency

  constructor() {
    const copies = new PartitionCopies()
    copies.begin(users(3), 'origin')
    const placement = {
      copies,
      isExpected: () => true,
      isWhole: () => true,
      owners: () => new Set(this.owners),
      partialHolders: () => this.partialHolders,
      wholeHolders: () => this.wholeHolders,
    }
    Object.defineProperty(placement, 'changes', { get: () => this.#changes })
    const antiEntropy = {
      compare: (peer: string) => void this.compared.push(peer),
      isReceivingFrom: () => this.receiving,
    }
    const get = (peer: string) => ({
      record: { role: this.roles.get(peer) ?? 'storage' },
      state: this.states.get(peer),
    })
    this.currency = new Currency(
      {
        antiEntropy,
        membership: { get } as never,
        neighbours: this.neighbours,
        peerId: 'self',
        placement: placement as unknown as Rendezvous,
      },
      at(0),
    )
  }

  connect(peer: string, ms: number): void {
    this.neighbours.connected(peer, at(ms))
    this.currency.tick(at(ms))
  }

  cut(peer: string, ms: number): void {
    this.neighbours.disconnected(peer)
    this.currency.disconnected(peer)
    this.currency.tick(at(ms))
  }

  own(owners: readonly string[], ms: number): void {
    this.owners = owners
    this.#changes += 1
    this.currency.tick(at(ms))
  }

  /** Whether it answers at some time, until which it has run. */
  answers(ms: number): boolean {
    for (; this.#ranUntilMs < ms; this.#ranUntilMs += 1000) this.currency.tick(at(this.#ranUntilMs))
    return this.currency.mayRead(users(3), at(ms))
  }
}

describe('an owner that has started', () => {
  it('answers once it has compared with each storage peer that it has met at first: one of them may know of another owner', () => {
    const answerer = new Answerer()
    for (const peer of ['a', 'b', 'tab']) answerer.connect(peer, 100)
    answerer.roles.set('tab', 'light')
    answerer.currency.met('a', 100)
    expect(answerer.answers(300)).toBe(false)
    answerer.currency.met('b', 100)
    expect(answerer.answers(300)).toBe(true)
    // One that comes later has nothing that is awaited.
    answerer.connect('c', COMPARE_PATIENCE_MS + 1000)
    expect(answerer.answers(COMPARE_PATIENCE_MS + 1000)).toBe(true)
  })

  it('waits for each of them for so long, and for longer while a session is under way', () => {
    for (const [receiving, patienceMs] of [
      [false, COMPARE_PATIENCE_MS],
      [true, COMPARE_PATIENCE_MAX_MS],
    ] as const) {
      const answerer = new Answerer()
      answerer.receiving = receiving
      answerer.connect('a', 100)
      answerer.connect('b', 100)
      answerer.currency.met('a', 100)
      expect(answerer.answers(patienceMs)).toBe(false)
      expect(answerer.answers(patienceMs + 100)).toBe(true)
    }
  })

  it('does not wait for ever for peers that compare with no other', () => {
    const answerer = new Answerer()
    answerer.roles.set('a', 'light')
    answerer.connect('a', 100)
    expect(answerer.answers(COMPARE_PATIENCE_MS)).toBe(false)
    expect(answerer.answers(COMPARE_PATIENCE_MAX_MS + 100)).toBe(true)
  })
})

it('an owner that was alone for long compares with those that it meets first', () => {
  const answerer = new Answerer()
  for (const ms of [0, 4000, 8000, OUT_OF_TOUCH_MS]) answerer.currency.tick(at(ms))
  expect(answerer.answers(OUT_OF_TOUCH_MS)).toBe(true)
  answerer.connect('a', OUT_OF_TOUCH_MS + 1)
  expect(answerer.answers(OUT_OF_TOUCH_MS + 1)).toBe(false)
  answerer.currency.met('a', OUT_OF_TOUCH_MS + 1)
  expect(answerer.answers(OUT_OF_TOUCH_MS + 2)).toBe(true)
})

describe('an owner that was a former one meanwhile, with its copy still there', () => {
  /** Writes have gone to others until now. */
  function regained(): Answerer {
    const answerer = new Answerer()
    for (const peer of ['a', 'b']) {
      answerer.connect(peer, 100)
      answerer.currency.met(peer, 100)
    }
    answerer.own(['a', 'b'], 6000)
    answerer.wholeHolders = ['a', 'b']
    answerer.own(['a', 'self'], 8000)
    return answerer
  }

  it('compares again with the others that have whole copies before it answers', () => {
    const answerer = regained()
    expect(answerer.compared.slice(-2)).toEqual(['a', 'b'])
    expect(answerer.answers(8001)).toBe(false)
    answerer.currency.met('a', 8001)
    expect(answerer.answers(8002)).toBe(false)
    // This one has begun before.
    answerer.currency.met('b', 7999)
    expect(answerer.answers(8003)).toBe(false)
    answerer.currency.met('b', 8001)
    expect(answerer.answers(8004)).toBe(true)
  })

  it('answers from what it has if they do not compare', () => {
    const answerer = regained()
    expect(answerer.answers(7999 + COMPARE_PATIENCE_MS)).toBe(false)
    expect(answerer.answers(8000 + COMPARE_PATIENCE_MS)).toBe(true)
  })

  it('answers nothing as an owner while it is none', () => {
    const answerer = regained()
    answerer.own(['a', 'b'], 8100)
    expect(answerer.answers(60_000)).toBe(false)
  })
})

describe('a peer that had begun a copy as an owner, and closes', () => {
  /** It is no owner any more, and the copy is not whole. */
  function closing(): Answerer {
    const answerer = new Answerer()
    answerer.partialHolders = ['x']
    answerer.connect('x', 100)
    expect(answerer.answers(6000)).toBe(false)
    return answerer
  }

  it('is not waited for if this peer has compared with it before it said goodbye: nothing more comes to it', () => {
    const answerer = closing()
    answerer.currency.met('x', 100)
    expect(answerer.answers(6000)).toBe(true)
    answerer.states.set('x', 'gone')
    answerer.currency.departed('x')
    answerer.cut('x', 6100)
    expect(answerer.answers(6200)).toBe(true)
    // It runs again, out of reach: others may write to it.
    answerer.states.set('x', 'alive')
    expect(answerer.answers(6300)).toBe(false)
  })

  it('is waited for if it has not compared, or said nothing', () => {
    const unknown = closing()
    unknown.currency.departed('x')
    unknown.cut('x', 6100)
    expect(unknown.answers(6200)).toBe(false)
    const silent = closing()
    silent.currency.met('x', 100)
    silent.states.set('x', 'gone')
    silent.cut('x', 6100)
    expect(silent.answers(6200)).toBe(false)
  })

  it('is waited for once this peer has been alone: it may have been started again meanwhile', () => {
    const answerer = closing()
    answerer.currency.met('x', 100)
    answerer.states.set('x', 'gone')
    answerer.currency.departed('x')
    answerer.cut('x', 6100)
    for (let ms = 6100; ms < 6200 + OUT_OF_TOUCH_MS; ms += 1000) answerer.currency.tick(at(ms))
    answerer.connect('y', 6200 + OUT_OF_TOUCH_MS)
    answerer.currency.met('y', 6200 + OUT_OF_TOUCH_MS)
    expect(answerer.answers(6300 + OUT_OF_TOUCH_MS)).toBe(false)
  })
})
