import { writeFileSync } from 'node:fs'
import { deflateRawSync } from 'node:zlib'
import { decodeMessage } from '../../packages/core/src/wire/messages.ts'
import type { Peer } from '../../packages/core/src/peer/peer.ts'
import { partitionOf } from '../../packages/core/src/rig/peer-state.ts'
import { TestDisk } from '../../packages/core/src/rig/test-disk.ts'
import { WiredPeers } from '../../packages/core/src/rig/wired-peers.ts'

/** One event at the observed peer: it was connected, it wrote, or a message arrived. */
export interface Happening {
  readonly atMs: number
  readonly what: 'connected' | 'disconnected' | 'write' | 'message' | 'broadcast'
  /** The neighbour, or the sender of the message. */
  readonly from?: string
  /** The type of the message, for readers of the file. */
  readonly type?: string
  /** The message belongs to the observed peer's own session, its n-th with that neighbour, counted from 0. */
  readonly session?: number
  /** The message, or the written value (a delete has none): deflated, in base64. */
  readonly bytes?: string
  readonly collection?: string
  readonly key?: string
}

/** An entry that the observed peer had in the end. */
export interface StoredEntry {
  readonly collection: string
  readonly key: string
  /** Deflated, in base64; null for a tombstone. */
  readonly value: string | null
  readonly hlc: number
  readonly replicaId: string
}

/** Everything that reached one peer of a grid, and its state in the end. */
export interface Recording {
  readonly observed: string
  readonly happenings: readonly Happening[]
  readonly entries: readonly StoredEntry[]
  /** By `collection replicaId`: the peer had seen all writes up to this one in the end. */
  readonly heads: Readonly<Record<string, number>>
}

const VALUES: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  23,
  255,
  65_536,
  -4_294_967_296,
  1.5,
  1e300,
  Number.NaN,
  2n ** 63n,
  '',
  'text',
  'ünïcode ☂ 𝄞',
  Uint8Array.of(0, 255),
  new Date(Date.UTC(2026, 0, 1)),
  new Date(Date.UTC(2026, 0, 1) + 1),
  [1, [2, []], undefined],
  { name: 'Ada', tags: ['a', 'b'], nested: { constructor: 1, '': 0 } },
  'long '.repeat(300),
]

/** Small grids that send every message of the protocol. Each opens the peers it needs. */
export const SCENARIOS: Readonly<Record<string, { readonly observed: string; run(peers: WiredPeers): void }>> = {
  /** Sets, deletes, overwritten keys, concurrent writes, confirmations, a member that leaves. */
  live: {
    observed: 'b',
    run: (peers) => {
      for (const name of ['a', 'b', 'c']) peers.open(name, new TestDisk())
      peers.link('a', 'b')
      peers.link('b', 'c')
      peers.link('a', 'c')
      peers.advance(500)
      for (const [i, value] of VALUES.entries()) {
        peers.write('a', `key ${i}`, value)
        if (i % 5 === 0) peers.advance(7)
      }
      for (const collection of ['übung ☂', '__proto__', 'toString']) peers.write('a', 'kéy', collection, collection)
      peers.advance(1000)
      for (let i = 0; i < 6; i++) {
        peers.write('a', `key ${i}`, i % 2 === 0 ? undefined : { again: i })
        peers.advance(3)
        peers.write(i % 3 === 0 ? 'b' : 'c', `key ${i + 3}`, `later ${i}`)
      }
      peers.advance(1000)
      for (const [asking, key] of [
        ['a', 'asked by a'],
        ['b', 'asked by b'],
      ] as const) {
        const { replicaId, sequence } = peers.write(asking, key, 1)
        peers.peer(asking).confirmations.request({ collection: 'users', partition: 0, replicaId, sequence }, 3)
        peers.advance(1000)
      }
      peers.perform('c', peers.peer('c').goodbye(true, peers.now))
      peers.run()
      for (const other of ['a', 'b']) peers.cut('c', other)
      peers.advance(62_000)
      peers.write('a', 'the last', 1)
      peers.advance(2500)
      peers.perform('a', peers.peer('a').goodbye(false, peers.now))
      peers.run()
    },
  },
  /** An empty peer joins: several chunks, deletes, superseded dots, in a session of the old peer. */
  joins: {
    observed: 'b',
    run: (peers) => {
      fill(peers, 'a')
      peers.open('b', new TestDisk())
      peers.link('a', 'b')
      peers.advance(3000)
    },
  },
  /** The same, in a session of the peer that joins. */
  asks: {
    observed: 'a',
    run: (peers) => {
      fill(peers, 'b')
      peers.open('a', new TestDisk())
      peers.link('a', 'b')
      peers.advance(3000)
    },
  },
  /** Two peers with entries of their own, and some common keys. */
  meets: {
    observed: 'b',
    run: (peers) => {
      for (const name of ['a', 'b']) peers.open(name, new TestDisk())
      for (let i = 0; i < 40; i++) {
        peers.write(i % 2 === 0 ? 'a' : 'b', `both ${i % 10}`, i % 7 === 0 ? undefined : i)
        peers.advance(1)
        peers.write('a', `a ${i % 30}`, i)
        peers.write('b', `b ${i % 30}`, i)
        peers.advance(1)
      }
      peers.link('a', 'b')
      peers.advance(3000)
    },
  },
  /** More rows at once than broadcast carries: an announce that says so, and a session. */
  bulk: {
    observed: 'b',
    run: (peers) => {
      for (const name of ['a', 'b']) peers.open(name, new TestDisk())
      peers.link('a', 'b')
      peers.advance(1000)
      const value = Uint8Array.from({ length: 30_005 }, (_, i) => (i < 5 ? [0x7a, 0, 0, 0x75, 0x30][i]! : 0x78))
      for (let i = 0; i < 20; i++) {
        peers.peer('a').write(partitionOf(peers.peer('a')), `large ${i}`, value, peers.now)
      }
      peers.give('a', { type: 'tick' })
      peers.advance(5000)
    },
  },
  /** Nothing reaches the old peer: it gives up its session. */
  silence: {
    observed: 'b',
    run: (peers) => {
      for (const name of ['a', 'b']) peers.open(name, new TestDisk())
      peers.write('a', 'key', 1)
      peers.deliver = (_, to) => to === 'b'
      peers.link('a', 'b')
      peers.advance(17_000)
    },
  },
}

/** Runs a scenario with complete peers of this version, and records the observed one. */
export function record(scenario: string): Recording {
  const { observed, run } = SCENARIOS[scenario]!
  const peers = new WiredPeers()
  const happenings: Happening[] = []
  const sessions: { readonly to: string; readonly id: number }[] = []
  const open = peers.open.bind(peers)
  peers.open = (name, ...rest) => {
    const peer = open(name, ...rest)
    if (name === observed) observe(peer, peers, happenings, sessions)
    return peer
  }
  run(peers)
  return { observed, happenings, ...stateOf(peers.peer(observed)) }
}

/** A peer with entries in three collections, some overwritten, some deleted, and more than fit into one chunk. */
function fill(peers: WiredPeers, name: string): void {
  peers.open(name, new TestDisk())
  for (let i = 0; i < 300; i++) {
    peers.write(name, `key ${i % 90}`, i % 11 === 0 ? undefined : { i }, `map ${i % 3}`)
    if (i % 40 === 0) peers.advance(1)
  }
  for (let i = 0; i < 12; i++) peers.write(name, `large ${i}`, 'x'.repeat(30_000))
  for (let i = 0; i < 4; i++) peers.write(name, `large ${i}`, 'y')
  peers.advance(1000)
}

function observe(
  peer: Peer,
  peers: WiredPeers,
  happenings: Happening[],
  sessions: { readonly to: string; readonly id: number }[],
): void {
  const step = peer.step.bind(peer)
  peer.step = (input, now) => {
    const atMs = peers.monotonicMs
    if (input.type === 'connected' || input.type === 'disconnected') {
      happenings.push({ atMs, what: input.type, from: input.neighbour })
    } else if (input.type === 'message' || input.type === 'broadcast') {
      const message = decodeMessage(input.bytes)
      const own = sessions.filter(({ to }) => to === input.from)
      const session = 'session' in message ? own.findIndex(({ id }) => id === message.session) : -1
      happenings.push({
        atMs,
        what: input.type,
        from: input.from,
        type: message.type,
        ...(session >= 0 ? { session } : {}),
        bytes: packed(input.bytes),
      })
    }
    const effects = step(input, now)
    for (const effect of effects) {
      if (effect.type !== 'send') continue
      const message = decodeMessage(effect.bytes)
      if (message.type === 'digest') sessions.push({ to: effect.to, id: message.session })
    }
    return effects
  }
  const write = peer.write.bind(peer)
  peer.write = (partition, key, value, ...rest) => {
    const { collection } = partition.name
    const bytes = value === undefined ? {} : { bytes: packed(value) }
    happenings.push({ atMs: peers.monotonicMs, what: 'write', collection, key, ...bytes })
    return write(partition, key, value, ...rest)
  }
}

/** The state of a peer, in a form that does not depend on the order of arrival. */
export function stateOf(peer: Peer): Pick<Recording, 'entries' | 'heads'> {
  const { ids } = peer.collections
  const entries: StoredEntry[] = []
  const heads: Record<string, number> = {}
  for (const { name, replica } of peer.collections.partitions()) {
    // Skip a grid's own collections, and later kinds: version 1.0 knew maps alone.
    if (name.kind !== 1) continue
    const { table, vector } = replica
    for (const slot of table.slots()) {
      const value = table.value(slot)
      entries.push({
        collection: name.collection,
        key: table.key(slot),
        value: value === undefined ? null : packed(value),
        hlc: table.hlc(slot),
        replicaId: ids.id(table.writer(slot)),
      })
    }
    for (const id of vector.writers()) heads[`${name.collection} ${ids.id(id)}`] = vector.head(id)
  }
  const place = ({ collection, key }: StoredEntry): string => `${collection} ${key}`
  entries.sort((x, y) => (place(x) < place(y) ? -1 : 1))
  return { entries, heads }
}

function packed(bytes: Uint8Array): string {
  return deflateRawSync(bytes).toString('base64')
}

/** Reads a file of recordings: one line of JSON about it, then one for each happening, then one for each entry. */
export function parseRecording(text: string): Recording {
  const [first, ...rest] = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown)
  const { observed, heads, happenings } = first as {
    readonly observed: string
    readonly heads: Readonly<Record<string, number>>
    readonly happenings: number
  }
  return {
    observed,
    heads,
    happenings: rest.slice(0, happenings) as Happening[],
    entries: rest.slice(happenings) as StoredEntry[],
  }
}

/** `node test/wire/record.ts FOLDER` records peers of this version. A released recording is never replaced. */
if (import.meta.main) {
  for (const scenario of Object.keys(SCENARIOS)) {
    const { observed, heads, happenings, entries } = record(scenario)
    const lines = [{ observed, heads, happenings: happenings.length }, ...happenings, ...entries]
    writeFileSync(`${process.argv[2]}/${scenario}.jsonl`, lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
  }
}
