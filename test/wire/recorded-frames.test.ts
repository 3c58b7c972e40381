import { readFileSync } from 'node:fs'
import { inflateRawSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import type { CollectionKind } from '../../packages/core/src/kinds/kinds.ts'
import type { Peer } from '../../packages/core/src/peer/peer.ts'
import type { Partition } from '../../packages/core/src/replica/collections.ts'
import { partitionOf } from '../../packages/core/src/rig/peer-state.ts'
import { TestDisk } from '../../packages/core/src/rig/test-disk.ts'
import { WiredPeers } from '../../packages/core/src/rig/wired-peers.ts'
import { SCENARIOS, stateOf, parseRecording, record } from './record.ts'
import type { Happening, StoredEntry, Recording } from './record.ts'
import { readMessage1, withSession1 } from './version-1.ts'
import type { Message1 } from './version-1.ts'

/** Released versions whose peers may meet those of this version, while the peers of a grid are upgraded one by one. */
const VERSIONS = ['1.0']

const scenarios = Object.keys(SCENARIOS)

function recordingOf(version: string, scenario: string): Recording {
  return parseRecording(readFileSync(new URL(`${version}/${scenario}.jsonl`, import.meta.url), 'utf8'))
}

function unpacked(deflated: string): Uint8Array {
  return new Uint8Array(inflateRawSync(Buffer.from(deflated, 'base64')))
}

/** Gives a peer of this version, step by step, the inputs of the recorded one. */
class Replay {
  readonly peers: WiredPeers = new WiredPeers()
  readonly observed: string
  /** The messages of the present peer, as version 1.0 reads them. */
  readonly said: (Message1 & { readonly to: string | undefined })[] = []
  /** The sessions that it has started. */
  readonly #sessions: { readonly to: string; readonly id: number }[] = []

  /** `prepare` is called before the first input. */
  constructor({ observed, happenings }: Recording, prepare: (peer: Peer) => void = () => undefined) {
    this.observed = observed
    // Every opened peer gets another replica id, and the first one's is that of the recorded peer: skip it.
    this.peers.open('first')
    const peer = this.peers.open(observed, new TestDisk())
    const step = peer.step.bind(peer)
    peer.step = (input, now) => {
      const effects = step(input, now)
      for (const effect of effects) {
        if (effect.type !== 'send' && effect.type !== 'broadcast') continue
        const to = effect.type === 'send' ? effect.to : undefined
        const message = readMessage1(effect.bytes)
        this.said.push({ ...message, to })
        if (message.type === 'digest') this.#sessions.push({ to: to!, id: message.header['session'] as number })
      }
      return effects
    }
    prepare(peer)
    for (const happening of happenings) this.#happen(happening)
    this.peers.advance(10)
  }

  ofType(type: string): Message1[] {
    return this.said.filter((message) => message.type === type)
  }

  #happen(happening: Happening): void {
    const { peers, observed } = this
    if (happening.atMs > peers.monotonicMs) peers.advance(happening.atMs - peers.monotonicMs)
    const { what, from, bytes } = happening
    if (what === 'write') {
      const value = bytes === undefined ? undefined : unpacked(bytes)
      const peer = peers.peer(observed)
      peer.write(partitionOf(peer, happening.collection), happening.key!, value, peers.now)
      peers.give(observed, { type: 'tick' })
    } else if (what === 'connected' || what === 'disconnected') peers.give(observed, { type: what, neighbour: from! })
    else {
      let message = unpacked(bytes!)
      if (happening.session !== undefined) {
        const own = this.#sessions.filter(({ to }) => to === from)[happening.session]
        if (own === undefined) return
        message = withSession1(message, own.id)
      }
      peers.give(observed, { type: what, from: from!, bytes: message })
    }
    peers.run()
  }
}

/** Rows of kinds that version 1.0 does not know. */
function laterRows({ slotId }: Peer): [CollectionKind, string, Uint8Array][] {
  return [
    ['set', `"a"\u0000${slotId}`, Uint8Array.of(0xf5)],
    ['counters', `/home\u0000${slotId}`, Uint8Array.of(0x82, 1, 0)],
    ['sets', `post\u0001"a"\u0000${slotId}`, Uint8Array.of(0xf5)],
  ]
}

function opened(peer: Peer, kind: CollectionKind): Partition {
  return peer.open({ name: `of ${kind}`, kind, mode: 'replicated', partitions: 1 }).partitions[0]!
}

/** An entry without the parts that depend on the replica id of the present peer. */
function withoutOwnName({ collection, key, value, hlc, replicaId }: StoredEntry, heads: Recording['heads']): unknown {
  const foreign = `${collection} ${replicaId}` in heads
  return { collection, key, value: value === null ? null : unpacked(value), ...(foreign ? { hlc, replicaId } : {}) }
}

for (const version of VERSIONS) {
  describe(`a present peer that meets peers of version ${version}`, () => {
    for (const scenario of scenarios) {
      it(`ends with exactly the entries that one of them had: ${scenario}`, () => {
        const recording = recordingOf(version, scenario)
        const { peers, observed } = new Replay(recording)
        const peer = peers.peer(observed)
        const now = stateOf(peer)
        // The heads of all but the peer itself, whose replica id is another one.
        const { [`users ${ownOf(recording)}`]: _, ...foreign } = recording.heads
        expect(now.heads).toMatchObject(foreign)
        expect(now.entries.map((entry) => withoutOwnName(entry, foreign))).toEqual(
          recording.entries.map((entry) => withoutOwnName(entry, foreign)),
        )
        expect(peers.events(observed, 'refused')).toEqual([])
        expect(peers.effects(observed, 'refuse')).toEqual([])
      })

      it(`sends nothing that they cannot read, and only maps except in broadcasts: ${scenario}`, () => {
        const { said } = new Replay(recordingOf(version, scenario))
        expect(said.length).toBeGreaterThan(2)
        for (const { type, header, records } of said) {
          // A broadcast goes to all peers. They ignore rows of a kind that they do not know, and nothing else.
          if (type !== 'frame') expect(records.filter(({ kind }) => kind !== 1)).toEqual([])
          expect(((header['parts'] ?? []) as { kind: number }[]).filter(({ kind }) => kind !== 1)).toEqual([])
        }
      })
    }

    it('serves them what they lack, superseded dots included', () => {
      const recording = recordingOf(version, 'meets')
      const chunks = new Replay(recording).ofType('chunk')
      const records = chunks.flatMap((chunk) => chunk.records)
      const rows = records.flatMap((each) => (each.type === 'rows' ? each.rows : []))
      const theirs = new Set(Object.keys(recording.heads))
      const own = recording.entries.filter(({ key, collection, replicaId }) => {
        return key.startsWith('b ') && theirs.has(`${collection} ${replicaId}`)
      })
      expect(own.length).toBe(30)
      for (const { key, value } of own) {
        expect(rows.find((row) => row.key === key)?.value).toEqual(value === null ? undefined : unpacked(value))
      }
      const dots = new Set(rows.map(({ sequence }) => sequence))
      for (const each of records) {
        if (each.type === 'rows') continue
        for (let i = 0; i < each.ranges.length; i += 2) {
          for (let dot = each.ranges[i]!; dot <= each.ranges[i + 1]!; dot++) dots.add(dot)
        }
      }
      expect([...dots].toSorted((x, y) => x - y)).toEqual(Array.from({ length: 60 }, (_, i) => i + 1))
      expect(chunks.at(-1)?.header['last']).toBe(true)
    })

    it('serves them maps alone, whatever else it has: they would ask for unknown rows again and again', () => {
      const now = { wallMs: 0, monotonicMs: 0 }
      for (const scenario of ['joins', 'asks', 'meets']) {
        const { peers, observed, said } = new Replay(recordingOf(version, scenario), (peer) => {
          for (const [kind, key, value] of laterRows(peer)) peer.write(opened(peer, kind), key, value, now)
        })
        const chunks = said.filter(({ type }) => type === 'chunk')
        expect(chunks.length).toBeGreaterThan(0)
        expect(chunks.flatMap(({ records }) => records).filter(({ kind }) => kind !== 1)).toEqual([])
        expect(peers.events(observed, 'session').at(-1)).toMatchObject({ complete: true })
      }
    })

    it('broadcasts rows of later kinds in frames that they read, and whose rows they pass over', () => {
      const { peers, observed, said } = new Replay(recordingOf(version, 'live'))
      const peer = peers.peer(observed)
      for (const [kind, key, value] of laterRows(peer)) peer.write(opened(peer, kind), key, value, peers.now)
      peers.give(observed, { type: 'tick' })
      peers.advance(100)
      const frames = said.filter(({ type }) => type === 'frame')
      const kinds = frames.flatMap(({ records }) => records.map(({ kind }) => kind))
      expect(kinds).toEqual(expect.arrayContaining([3, 7, 8]))
    })

    it('acknowledges their chunks, answers their requests, and announces what it has', () => {
      expect(new Replay(recordingOf(version, 'joins')).ofType('chunk-ack').length).toBe(2)
      const asks = new Replay(recordingOf(version, 'asks'))
      expect(asks.ofType('digest').length).toBeGreaterThan(0)
      expect(asks.ofType('vectors').map(({ header }) => header['ask'])).toEqual([false])
      const live = new Replay(recordingOf(version, 'live'))
      for (const type of ['hello', 'frame', 'announce', 'equal', 'confirmed']) {
        expect(live.ofType(type).length, type).toBeGreaterThan(0)
      }
    })
  })
}

describe('grids of this version', () => {
  it('send nothing about maps that version 1.0 cannot read', () => {
    const types = new Set<string>()
    for (const scenario of scenarios) {
      for (const { bytes, what } of record(scenario).happenings) {
        if (bytes !== undefined && what !== 'write') types.add(readMessage1(unpacked(bytes)).type)
      }
    }
    expect([...types].toSorted()).toEqual([
      'announce',
      'chunk',
      'chunk-ack',
      'confirm',
      'confirmed',
      'digest',
      'equal',
      'frame',
      'goodbye',
      'hello',
      'stop',
      'vectors',
    ])
  })
})

/** The replica id that the observed peer wrote under, if it did. */
function ownOf({ entries }: Recording): string | undefined {
  return entries.find(({ key }) => key.startsWith('b ') || key === 'asked by b')?.replicaId
}
