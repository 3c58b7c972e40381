import { BlockWriter, readBlock, wallFromHlc } from '@gossipgrid/core'
import type { Effect, Input, Instant, PeerEvent, Row } from '@gossipgrid/core'
import {
  GroupCommit,
  LOG_PREFIX,
  Opening,
  Outgoing,
  Peer,
  Replica,
  ReplicaIdentity,
  ReplicaIds,
  encodeMessage,
} from '@gossipgrid/core/internals'
import type { Partition } from '@gossipgrid/core/internals'
import { droppedExpiry, earlySetPurge, sharedSlot } from './kind-mutants.ts'
import { purgeWithoutFloor, restampingResync } from './purge-mutants.ts'
import { replaceMethod } from './replacements.ts'

/** Plants a bug in core and returns a function that removes it. */
type Mutant = () => () => void

/** Of two versions with equal HLC readings the one that arrives later wins. */
function noTieBreak(): () => void {
  return replaceMethod(Replica.prototype, 'compare', (original) => {
    return function compare(this: Replica, row: Readonly<Row>, slot: number): number {
      const order = original.call(this, row, slot)
      return order < 0 && row.hlc === this.table.hlc(slot) ? 1 : order
    }
  })
}

/** After a restart a peer gives out its last three sequence numbers again. */
function reuseSequence(): () => void {
  const firsts = new WeakMap<Replica, number>()
  const written = new WeakMap<Replica, number>()
  const restoreWrite = replaceMethod(Replica.prototype, 'write', (original) => {
    return function write(this: Replica, row: Row): number {
      written.set(this, (written.get(this) ?? 0) + 1)
      return original.call(this, row)
    }
  })
  const restoreNext = replaceMethod(ReplicaIdentity.prototype, 'nextSequence', (original) => {
    return function nextSequence(this: ReplicaIdentity, partition: Partition): number {
      const { replica } = partition
      const first = firsts.get(replica) ?? Math.max(1, original.call(this, partition) - 3)
      firsts.set(replica, first)
      return first + (written.get(replica) ?? 0)
    }
  })
  return () => {
    restoreNext()
    restoreWrite()
  }
}

/** The vector of received rows is stored at once, the rows only with the next block. */
function vectorBeforeRows(): () => void {
  const late = new WeakMap<GroupCommit, Uint8Array>()
  return replaceMethod(GroupCommit.prototype, 'remote', (original) => {
    return function remote(this: GroupCommit, block: Uint8Array): void {
      original.call(this, dotsOf(block))
      const before = late.get(this)
      late.set(this, block)
      if (before !== undefined) original.call(this, before)
    }
  })
}

/** A block that claims all dots of another block as seen. */
function dotsOf(block: Uint8Array): Uint8Array {
  const ids = new ReplicaIds()
  const dots = new BlockWriter(ids)
  for (const record of readBlock(block, ids)) {
    const writer = ids.intern(record.replicaId)
    if (record.type === 'superseded') dots.superseded(record.partition, writer, record.ranges)
    else for (const row of record.rows) dots.superseded(record.partition, writer, [row.sequence, row.sequence])
  }
  return dots.take()
}

/** Tombstones count as purged five seconds after they were written: any version beats them, and they are not sent. */
function earlyPurge(): () => void {
  let wallMs = 0
  const purged = (replica: Replica, slot: number): boolean =>
    replica.table.deleted(slot) && wallFromHlc(replica.table.hlc(slot)) + 5000 < wallMs
  const restoreStep = replaceMethod(Peer.prototype, 'step', (original) => {
    return function step(this: Peer, input: Input, now: Instant): Effect[] {
      wallMs = now.wallMs
      return original.call(this, input, now)
    }
  })
  const restoreCompare = replaceMethod(Replica.prototype, 'compare', (original) => {
    return function compare(this: Replica, row: Readonly<Row>, slot: number): number {
      const order = original.call(this, row, slot)
      return order < 0 && purged(this, slot) ? 1 : order
    }
  })
  return () => {
    restoreCompare()
    restoreStep()
  }
}

/** A write is acknowledged when storing it begins. */
function earlyAcknowledgement(): () => void {
  const written = new WeakMap<Peer, number>()
  const restoreWrite = replaceMethod(Peer.prototype, 'write', (original) => {
    return function write(this: Peer, ...args: Parameters<Peer['write']>): ReturnType<Peer['write']> {
      const done = original.apply(this, args)
      written.set(this, done.writeId)
      return done
    }
  })
  const restoreStep = replaceMethod(Peer.prototype, 'step', (original) => {
    return function step(this: Peer, input: Input, now: Instant): Effect[] {
      const effects = original.call(this, input, now)
      const event: PeerEvent = { type: 'durable', writeId: written.get(this) ?? 0 }
      return effects.some((effect) => effect.type === 'store') ? [...effects, { type: 'event', event }] : effects
    }
  })
  return () => {
    restoreStep()
    restoreWrite()
  }
}

/** Writes are broadcast when storing them begins. */
function earlyFrame(): () => void {
  return replaceMethod(Peer.prototype, 'step', (original) => {
    return function step(this: Peer, input: Input, now: Instant): Effect[] {
      const effects = original.call(this, input, now)
      const frames: Effect[] = []
      for (const effect of effects) {
        if (effect.type !== 'store') continue
        for (const operation of effect.batch) {
          if (operation.type !== 'put' || !operation.key.startsWith(LOG_PREFIX)) continue
          const block = rowsOf(this.replicaId, operation.bytes)
          if (block.length > 0) frames.push({ type: 'broadcast', bytes: encodeMessage({ type: 'frame', block }) })
        }
      }
      return [...effects, ...frames]
    }
  })
}

/** The rows of one replica id in a block. */
function rowsOf(replicaId: string, block: Uint8Array): Uint8Array {
  const ids = new ReplicaIds()
  const writer = new BlockWriter(ids)
  for (const record of readBlock(block, ids)) {
    if (record.type !== 'rows' || record.replicaId !== replicaId) continue
    for (const row of record.rows) writer.row(record.partition, row)
  }
  return writer.take()
}

/** A partition keeps its vector although its blobs were damaged. */
function keptVector(): () => void {
  return replaceMethod(Opening.prototype, 'forgetVector', () => () => {})
}

/** A session sends superseded dots with its first chunk instead of after the last row. */
function earlyVoids(): () => void {
  return replaceMethod(Outgoing.prototype, 'writeRows', (original) => {
    return function writeRows(this: Outgoing, writer: BlockWriter, serving: Parameters<typeof original>[1]): boolean {
      const { replica, name } = serving.partition
      const missing = replica.vector.missingIn(serving.known)
      for (const range of missing) {
        const current = new Set<number>()
        replica.visitDots([range], (slot) => current.add(replica.table.sequence(slot)).size > 0)
        for (let sequence = range.first; sequence <= range.last; sequence++) {
          if (!current.has(sequence)) writer.superseded(name, range.writer, [sequence, sequence])
        }
      }
      return original.call(this, writer, serving)
    }
  })
}

export type MutantName =
  | 'no-tie-break'
  | 'sequence-reuse'
  | 'vector-before-rows'
  | 'early-purge'
  | 'early-acknowledgement'
  | 'early-frame'
  | 'kept-vector'
  | 'early-voids'
  | 'early-set-purge'
  | 'shared-slot'
  | 'dropped-expiry'
  | 'purge-without-floor'
  | 'restamping-resync'

/** Planted bugs. A simulator that does not find them is broken. */
export const MUTANTS: Readonly<Record<MutantName, Mutant>> = {
  'no-tie-break': noTieBreak,
  'sequence-reuse': reuseSequence,
  'vector-before-rows': vectorBeforeRows,
  'early-purge': earlyPurge,
  'early-acknowledgement': earlyAcknowledgement,
  'early-frame': earlyFrame,
  'kept-vector': keptVector,
  'early-voids': earlyVoids,
  'early-set-purge': earlySetPurge,
  'shared-slot': sharedSlot,
  'dropped-expiry': droppedExpiry,
  'purge-without-floor': purgeWithoutFloor,
  'restamping-resync': restampingResync,
}

/** Runs `use` while a bug is planted in core. */
export function withMutant<T>(name: MutantName, run: () => T): T {
  const restore = MUTANTS[name]()
  try {
    return run()
  } finally {
    restore()
  }
}
