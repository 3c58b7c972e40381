import fc from 'fast-check'
import { readDocumentKey, readYjsUpdate } from '@gossipgrid/core'
import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { OwnRows } from './own-rows.ts'
import type { OwnRow } from './own-rows.ts'
import { OwnStructs } from './own-structs.ts'
import { RowIntegration } from './row-integration.ts'
import type { Awaited } from './row-integration.ts'

const ORIGIN = 'rows'

/** A peer as documents see it: rows under keys, the later one of a key wins, and a Y.Doc that is kept the same as them. */
class ModelPeer {
  readonly client: number
  readonly y = new Y.Doc()
  readonly rows = new Map<string, { readonly version: number; readonly update: Uint8Array | undefined }>()
  readonly #own: OwnRows
  readonly #structs: OwnStructs
  readonly #waiting = new Map<string, Awaited>()
  #deletes: number[] = []
  #version = 0

  constructor(client: number, levelRowsMax: number = 3) {
    this.client = client
    this.y.clientID = client
    this.#structs = new OwnStructs(this.y, client, ORIGIN, () => undefined)
    this.#own = new OwnRows({ document: 'd', generation: 0, nonce: client, client, levelRowsMax })
    this.y.on('afterTransactionCleanup', (transaction: Y.Transaction) => {
      if (transaction.origin === ORIGIN) return
      for (const [writer, ranges] of transaction.deleteSet.clients) {
        for (const { clock, len } of ranges) this.#deletes.push(writer, clock, len)
      }
    })
  }

  flush(): void {
    if (this.#deletes.length === 0 && this.#structs.clock === this.#own.clock) return
    this.#write(this.#own.append(this.#structs, this.#deletes))
    this.#deletes = []
  }

  fold(): void {
    this.flush()
    this.#write(this.#own.fold(this.#structs))
  }

  /** Takes what another peer holds under some keys. */
  receive(keys: readonly string[], from: ModelPeer): void {
    const taken = keys.filter((key) => (this.rows.get(key)?.version ?? 0) < from.rows.get(key)!.version)
    for (const key of taken) this.rows.set(key, from.rows.get(key)!)
    for (const [key, { client, clock }] of this.#waiting) if (Y.getState(this.y.store, client) > clock) taken.push(key)
    const integration = new RowIntegration((client) => Y.getState(this.y.store, client))
    for (const key of new Set(taken)) {
      this.#waiting.delete(key)
      const { client } = readDocumentKey(key)!
      const { update } = this.rows.get(key)!
      if (client === this.client || update === undefined) continue
      integration.offer(key, client, readYjsUpdate(update, 0, update.length, client))
    }
    for (let update = integration.next(); update !== undefined; update = integration.next()) {
      Y.applyUpdate(this.y, update, ORIGIN)
      const { pendingStructs, pendingDs } = this.y.store
      if (pendingStructs !== null || pendingDs !== null) throw new Error('Yjs has kept something back')
    }
    for (const [key, awaited] of integration.waiting()) this.#waiting.set(key, awaited)
  }

  #write(rows: readonly OwnRow[]): void {
    for (const { key, update } of rows) this.rows.set(key, { version: ++this.#version, update })
  }
}

type Step =
  | { readonly type: 'insert'; readonly peer: number; readonly at: number; readonly text: string }
  | { readonly type: 'delete'; readonly peer: number; readonly at: number; readonly length: number }
  | { readonly type: 'set'; readonly peer: number; readonly at: number; readonly text: string }
  | { readonly type: 'nest'; readonly peer: number; readonly at: number }
  | { readonly type: 'flush' | 'fold'; readonly peer: number }
  | { readonly type: 'deliver'; readonly peer: number; readonly at: number; readonly seed: number }

const peer = fc.nat(2)
const at = fc.nat(1000)
const text = fc.string({ minLength: 1, maxLength: 6, unit: 'grapheme' })
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ type: fc.constant('insert' as const), peer, at, text }) },
  {
    weight: 3,
    arbitrary: fc.record({ type: fc.constant('delete' as const), peer, at, length: fc.integer({ min: 1, max: 9 }) }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('set' as const), peer, at, text }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('nest' as const), peer, at }) },
  { weight: 8, arbitrary: fc.record({ type: fc.constant('flush' as const), peer }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('fold' as const), peer }) },
  { weight: 6, arbitrary: fc.record({ type: fc.constant('deliver' as const), peer, at, seed: fc.nat() }) },
)

function run(peers: readonly ModelPeer[], taken: Step): void {
  const on = peers[taken.peer]!
  const body = on.y.getText('body')
  const map = on.y.getMap('map')
  switch (taken.type) {
    case 'insert':
      body.insert(taken.at % (body.length + 1), taken.text)
      break
    case 'delete':
      if (body.length > 0)
        body.delete(taken.at % body.length, Math.min(taken.length, body.length - (taken.at % body.length)))
      break
    case 'set':
      map.set(`k${taken.at % 3}`, taken.text)
      break
    case 'nest': {
      const list = map.get('list')
      if (list instanceof Y.Array && taken.at % 3 > 0) list.push([taken.at, { x: [taken.at] }])
      else map.set('list', new Y.Array())
      break
    }
    case 'flush':
      on.flush()
      break
    case 'fold':
      on.fold()
      break
    case 'deliver': {
      const from = peers[taken.at % peers.length]!
      // Some of the rows, in any order.
      const keys = [...from.rows.keys()].filter((_, i) => ((taken.seed >> (i % 20)) & 3) !== 0)
      on.receive(taken.seed % 2 === 0 ? keys : keys.toReversed(), from)
    }
  }
}

function exchangeAll(peers: readonly ModelPeer[]): void {
  for (const each of peers) each.flush()
  for (let round = 0; round < 2; round++) {
    for (const to of peers) for (const from of peers) to.receive([...from.rows.keys()], from)
  }
}

describe('the rows of a document', () => {
  it('come to the same Y.Doc everywhere, in whichever order they come, merged or not', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 150 }), (steps) => {
        const peers = [3, 2, 1].map((client) => new ModelPeer(client * 1000))
        for (const each of steps) run(peers, each)
        exchangeAll(peers)
        const late = new ModelPeer(9)
        late.receive([...peers[0]!.rows.keys()].toReversed(), peers[0]!)
        // Yjs alone, given everything, is what it has to come to.
        const plain = new Y.Doc()
        for (const each of peers) Y.applyUpdate(plain, Y.encodeStateAsUpdate(each.y))
        for (const { y } of [...peers, late]) {
          expect(y.getText('body').toJSON()).toBe(plain.getText('body').toJSON())
          expect(y.getMap('map').toJSON()).toEqual(plain.getMap('map').toJSON())
          expect(Y.encodeStateVector(y)).toEqual(Y.encodeStateVector(plain))
        }
      }),
      { numRuns: 150 },
    )
  })

  it('are few, however many edits they hold', () => {
    const author = new ModelPeer(1000, 32)
    for (let i = 0; i < 2000; i++) {
      author.y.getText('body').insert(i % 7 === 0 ? 0 : i, 'x')
      author.flush()
    }
    expect(author.rows.size).toBeLessThanOrEqual(4 * 32 + 1)
    author.fold()
    const live = [...author.rows.values()].filter(({ update }) => update !== undefined)
    expect(live.length).toBe(1)
    const bytes = live.reduce((sum, { update }) => sum + update!.length, 0)
    expect(bytes).toBeLessThanOrEqual(Y.encodeStateAsUpdate(author.y).length)
  })

  it('hold a paste that is larger than a row', () => {
    const author = new ModelPeer(1000)
    const reader = new ModelPeer(2000)
    const pasted = `a${'wörds 😀'.repeat(300_000)}`
    author.y.getText('body').insert(0, pasted)
    author.y.getArray('list').insert(
      0,
      Array.from({ length: 200_000 }, (_, i) => `item ${i}`),
    )
    author.flush()
    for (const { update } of author.rows.values()) expect(update!.length).toBeLessThan(1024 * 1024 - 1000)
    reader.receive([...author.rows.keys()].toReversed(), author)
    expect(reader.y.getText('body').toJSON() === pasted).toBe(true)
    expect(reader.y.getArray('list').length).toBe(200_000)
  })
})
