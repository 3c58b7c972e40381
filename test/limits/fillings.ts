// Fills one limit after the other up to its edge, and prints the memory that this took. It is a separate program, so
// that memory can be measured after a garbage collection. `limits.test.ts` starts it with `--expose-gc`.
import { openGrid } from 'gossipgrid'
import type { Grid } from 'gossipgrid'
import type { MemberRecord, Storage } from '@gossipgrid/core'
import {
  ADDRESSES_MAX,
  ADDRESS_MAX_BYTES,
  COLLECTIONS_MAX,
  GridError,
  MEMBERS_MAX,
  NEW_IDS_MAX,
  OFFENDERS_MAX,
  PRESENCES_MAX,
  PRESENCE_MAX_BYTES,
} from '@gossipgrid/core'
import { memoryStorage } from '@gossipgrid/storage'
import { memoryNetworkHub } from '@gossipgrid/testing/memory-network'
import { Collections } from '../../packages/core/src/replica/collections.ts'
import { Confirmations } from '../../packages/core/src/replication/confirmations.ts'
import { Hints } from '../../packages/core/src/hints/hints.ts'
import { NeighbourWrites } from '../../packages/core/src/hints/neighbour-writes.ts'
import { Quarantine } from '../../packages/core/src/replication/quarantine.ts'
import { Membership } from '../../packages/core/src/members/membership.ts'
import { NeighbourTable } from '../../packages/core/src/members/neighbour-table.ts'
import { Offences } from '../../packages/core/src/members/offences.ts'
import type { Outbox } from '../../packages/core/src/outbox/outbox.ts'
import { RequestNumbers } from '../../packages/core/src/outbox/request-numbers.ts'
import { Presence } from '../../packages/core/src/signals/presence.ts'
import { LagTable } from '../../packages/core/src/digests/lag.ts'
import { PartDigests } from '../../packages/core/src/digests/part-digests.ts'
import { ReplicaIds } from '../../packages/core/src/versions/replica-ids.ts'
import { encodeVector } from '../../packages/core/src/versions/vector-codec.ts'
import { VersionVector } from '../../packages/core/src/versions/version-vector.ts'
import { Inbox } from '../../packages/grid/src/runtime/inbox.ts'
import { MessageWriter } from '../../packages/network/src/message-writer.ts'

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
const now = { wallMs: Date.now(), monotonicMs: 1000 }
/** Stores nothing, so that only the filled limit takes memory. */
const quiet = { send: () => undefined, event: () => undefined } as unknown as Outbox

function memberRecord(i: number): MemberRecord {
  return {
    peerId: `peer ${i}`.padEnd(52),
    replicaId: '0123456789abcdef',
    incarnation: 1,
    revision: 1,
    role: 'storage',
    zone: 'z'.repeat(64),
    weight: 1,
    addresses: Array.from({ length: ADDRESSES_MAX }, (_, j) => `${i} ${j}`.padEnd(ADDRESS_MAX_BYTES)),
    software: 's'.repeat(64),
    left: false,
  }
}

/** A grid with a store that claims to be a disk, and accepts no writes once it hangs. */
async function hangingGrid(): Promise<{ grid: Grid; hang: () => void }> {
  const memory = memoryStorage()
  let hangs = false
  const storage: Storage = {
    persistent: true,
    read: (key) => memory.read(key),
    list: (prefix) => memory.list(prefix),
    close: () => Promise.resolve(),
    write: (...args) => (hangs ? new Promise(() => undefined) : memory.write(...args)),
  }
  const network = memoryNetworkHub().network({ join: [] })
  const grid = await openGrid({ name: 'limits', logger: silent, storage, network: () => Promise.resolve(network) })
  await grid.map('m').set('k', 0)
  return { grid, hang: () => (hangs = true) }
}

/** Ends a filling that has no limit. */
const CALLS_MAX = 2_000_000

/** Calls until a call is refused with `BACKLOG_FULL`. */
async function untilRefused(call: (i: number) => Promise<unknown>): Promise<void> {
  let isRefused = false
  const refused = (error: unknown): void => {
    isRefused ||= error instanceof GridError && error.code === 'BACKLOG_FULL'
  }
  for (let i = 0; i < CALLS_MAX && !isRefused; i++) {
    const called = call(i)
    called.catch(refused)
    // A refusal comes at once, without a turn of the event loop.
    if (i % 100 === 0) await Promise.race([called.catch(() => undefined), Promise.resolve()])
  }
  if (!isRefused) throw new Error('it is never refused')
}

/** Each filling returns the object that it filled, so that this still exists when memory is measured. */
const FILLINGS: Record<string, () => unknown> = {
  async 'UNDURABLE_MAX_BYTES, small writes'() {
    const { grid, hang } = await hangingGrid()
    hang()
    await untilRefused((i) => grid.map('m').set('k', i))
    return grid
  },
  async 'UNDURABLE_MAX_BYTES, large writes'() {
    const { grid, hang } = await hangingGrid()
    hang()
    const value = new Uint8Array(500_000)
    await untilRefused(() => grid.map('m').set('k', value))
    return grid
  },
  async 'UNDURABLE_MAX_BYTES, writes with a signal and copies'() {
    const { grid, hang } = await hangingGrid()
    hang()
    const { signal } = new AbortController()
    await untilRefused((i) => grid.map('m').set('k', i, { copies: 2, signal }))
    return grid
  },
  async TOPIC_BACKLOG_MAX_BYTES() {
    const { grid } = await hangingGrid()
    // In one turn: at its end messages leave, or are dropped where there is no neighbour.
    const published = Array.from({ length: 8200 }, (_, i) => grid.topic('t').publish(i))
    for (const each of published) each.catch(() => undefined)
    if (grid.status().topics.refused === 0) throw new Error('it is never refused')
    return { grid, published, usedBytes: usedBytes() }
  },
  async COLLECTIONS_MAX() {
    const { grid } = await hangingGrid()
    try {
      for (let i = 0; i < COLLECTIONS_MAX; i++) grid.map(`map ${i}`)
    } catch (error) {
      if (!(error instanceof GridError) || error.code !== 'COLLECTION_LIMIT') throw error
    }
    return grid
  },
  async 'changes without a reader'() {
    const { grid } = await hangingGrid()
    const changes = grid.map('m').changes()
    for (let i = 0; i < 70; i++) {
      await grid.map('m').setMany(Array.from({ length: 1000 }, (_, j) => [`key ${j}`, i] as const))
    }
    return { grid, changes }
  },
  QUARANTINE_MAX_BYTES() {
    const stored = new Quarantine()
    const partition = { collection: 'c', kind: 0, partition: 0 }
    const row = { hlc: 1, writer: 1, replaced: 0, bytes: Uint8Array.of(1), start: 0, end: 1 }
    for (let i = 0; i < 200_000; i++) stored.hold('peer', partition, { ...row, key: `key ${i}`, sequence: i + 1 })
    return stored
  },
  CONFIRMATIONS_MAX() {
    const ids = new ReplicaIds()
    const neighbours = new NeighbourTable()
    const membership = new Membership(memberRecord(0), { outbox: quiet, gone: () => undefined })
    for (let i = 1; i <= 3; i++) {
      neighbours.connected(memberRecord(i).peerId, now)
      membership.learn(memberRecord(i), 'stream', now)
    }
    const confirmations = new Confirmations({
      antiEntropy: undefined as never,
      collections: new Collections(ids, 1),
      commit: undefined as never,
      ids,
      lag: undefined as never,
      membership,
      neighbours,
      outbox: quiet,
      requests: new RequestNumbers('0'.repeat(16)),
    })
    const dot = { collection: 'c', kind: 0, partition: 0, replicaId: '0123456789abcdef' }
    for (let i = 0; ; i++) {
      try {
        confirmations.request({ ...dot, sequence: i + 1 }, 2)
      } catch {
        return confirmations
      }
    }
  },
  HINTS_MAX_BYTES() {
    const ids = new ReplicaIds()
    let close = (): unknown => undefined
    const commit = {
      persistent: true,
      aside: (operations: () => unknown, writeId: number) => {
        close = operations
        if (writeId % 256 === 0) close()
      },
    }
    const hints = new Hints({ commit: commit as never, ids })
    const writer = ids.intern('0123456789abcdef')
    const row = { hlc: 1, writer, replaced: 0, bytes: new Uint8Array(20), start: 0, end: 20 }
    // Three owners of each partition, of which none confirms.
    const owners = [new NeighbourWrites(), new NeighbourWrites(), new NeighbourWrites()]
    for (let i = 0; !hints.full; i++) {
      const name = { collection: 'users', kind: 1, partition: 256 + (i % 256) }
      const hint = hints.write(name, { ...row, key: `key ${i}`, sequence: i + 1 }, i, 1)
      for (const owner of owners) {
        owner.want(hint)
        owner.sent(i, { hints: [hint], bytes: 20, sentAtMs: 1 })
      }
    }
    return [hints, owners]
  },
  REPORTS_MAX_BYTES() {
    const ids = new ReplicaIds()
    const vector = new VersionVector()
    for (let i = 0; i < 2000; i++) vector.addRange(ids.intern((i * 7919).toString(16).padStart(16, '0')), 1, i + 5)
    const collections = new Collections(ids, 1)
    const [digests, lag] = [new PartDigests(collections, ids), new LagTable(collections)]
    const part = {
      collection: 'c',
      kind: 0,
      partition: 0,
      vector: encodeVector(vector, ids),
      fingerprint: '0'.repeat(16),
    }
    for (let i = 0; i < 1000; i++) lag.recordVectors(`peer ${i}`, digests.decode(`peer ${i}`, [part]), i)
    return lag
  },
  OFFENDERS_MAX() {
    const offences = new Offences()
    for (let i = 0; i < 3 * OFFENDERS_MAX; i++) {
      offences.note(`peer ${i}`.padEnd(52), new GridError('MESSAGE_MALFORMED', `${i} ${'x'.repeat(200)}`), now)
    }
    return offences
  },
  NEW_IDS_MAX() {
    const ids = new ReplicaIds()
    for (let i = 0; i < NEW_IDS_MAX; i++) ids.intern(i.toString(16).padStart(16, '0'))
    return ids
  },
  PRESENCES_MAX() {
    const membership = new Membership(memberRecord(0), { outbox: quiet, gone: () => undefined })
    const presence = new Presence({ membership, outbox: quiet })
    for (let i = 0; i < 3 * PRESENCES_MAX; i++) {
      presence.heard(
        `peer ${i}`.padEnd(52),
        { incarnation: 1, revision: 1, value: new Uint8Array(PRESENCE_MAX_BYTES) },
        now,
      )
    }
    return presence
  },
  MEMBERS_MAX() {
    const membership = new Membership(memberRecord(0), { outbox: quiet, gone: () => undefined })
    for (let i = 1; i < 3 * MEMBERS_MAX; i++) membership.learn(memberRecord(i), 'hearsay', now)
    return membership
  },
  'inputs that wait for their turn'() {
    const inbox = new Inbox(() => undefined)
    // Longer than a turn may last: the rest waits.
    inbox.offer({ type: 'message', from: 'peer', bytes: Uint8Array.of(1) })
    const endMs = performance.now() + 20
    while (performance.now() < endMs);
    let last = -1
    for (let i = 0; i < 1_000_000 && inbox.waitingBytes > last; i++) {
      last = inbox.waitingBytes
      inbox.offer({ type: 'message', from: 'peer', bytes: Uint8Array.of(1, 2, 3) })
    }
    return inbox
  },
  'messages to a neighbour that does not read'() {
    const stream = { send: () => false, writableNeedsDrain: true, addEventListener: () => undefined }
    const fill = (countMax: number): { writer: MessageWriter; count: number } => {
      let broken = false
      const writer = new MessageWriter(stream as never, () => (broken = true))
      let count = 0
      for (; count < countMax && !broken; count++) writer.send(Uint8Array.of(1, 2, 3)).catch(() => undefined)
      return { writer, count }
    }
    // At the edge the writer drops everything, so a second one is filled to just below.
    return fill(fill(CALLS_MAX).count - 1)
  },
}

function usedBytes(): number {
  const collect = (globalThis as { gc?: () => void }).gc!
  collect()
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

// Memory that is taken once, such as for compiled code, does not count.
await (FILLINGS['TOPIC_BACKLOG_MAX_BYTES']!() as Promise<unknown>)
const kept: unknown[] = []
for (const [name, fill] of Object.entries(FILLINGS)) {
  const before = usedBytes()
  const filled = await fill()
  kept.push(filled)
  // The filling itself measured what is gone by the next turn.
  const after = (filled as { usedBytes?: number }).usedBytes ?? usedBytes()
  console.log(JSON.stringify({ name, usedBytes: after - before }))
}
process.exit(kept.length > 0 ? 0 : 1)
