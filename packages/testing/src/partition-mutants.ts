import { GroupCommit, Handover, Hints, OwnerRows, PartitionAccess, Peer, Rendezvous } from '@gossipgrid/core/internals'
import type { PartitionName } from '@gossipgrid/core'
import type { Registrations } from '@gossipgrid/core/internals'
import { COPY_MUTANTS } from './copy-mutants.ts'
import type { CopyMutantName } from './copy-mutants.ts'
import { HINT_MUTANTS } from './hint-mutants.ts'
import type { HintMutantName } from './hint-mutants.ts'
import { OWNER_MUTANTS } from './owner-mutants.ts'
import type { OwnerMutantName } from './owner-mutants.ts'
import { READ_MUTANTS } from './read-mutants.ts'
import type { ReadMutantName } from './read-mutants.ts'
import { replaceMethod } from './replacements.ts'

type Mutant = () => () => void

/** A copy is whole though it has not met whole ones that are out of reach. */
function wholeByReach(): () => void {
  return replaceMethod(Rendezvous.prototype, 'isExpected', () => () => false)
}

/** The same, and a peer says in sessions that all its copies are whole: so others become whole by copies that are not. */
function wholeByAny(): () => void {
  const restoreExpected = wholeByReach()
  const restorePublished = replaceMethod(Rendezvous.prototype, 'publishes', (original) => {
    return function publishes(this: Rendezvous): ReturnType<Rendezvous['publishes']> {
      return original.call(this)?.map((group) => {
        const collections = group.collections.map((each) => {
          const name: PartitionName = { collection: each.name, kind: each.kind, partition: group.partitions }
          return { ...each, origin: this.registered(name)?.origin ?? each.origin }
        })
        return { ...group, whole: group.present, collections }
      })
    }
  })
  return () => {
    restorePublished()
    restoreExpected()
  }
}

/** An owner that reaches no whole copy takes its empty one for whole. */
function wholeAlone(): () => void {
  return replaceMethod(Rendezvous.prototype, 'update', (original) => {
    return function update(this: Rendezvous, registrations: Registrations): void {
      original.call(this, registrations)
      for (const { descriptor, origin } of this.collections) {
        for (let index = 0; index < descriptor.partitions; index++) {
          const name = { collection: descriptor.name, kind: 1, partition: descriptor.partitions + index }
          if (!(this.owners(name) as ReadonlySet<string>).has(this.peerId)) continue
          this.copies.begin(name, origin)
          this.copies.complete(name, origin)
        }
      }
    }
  })
}

/** What the registry says of this peer's copies counts although the peer has lost something since. */
function trustedRow(): () => void {
  return replaceMethod(OwnerRows.prototype, 'writtenBy', () => {
    return function writtenBy(this: OwnerRows, peerId: string): ReturnType<OwnerRows['writtenBy']> {
      return this.owners().find((owner) => owner.peerId === peerId)
    }
  })
}

/** A copy whose history began with a later registration goes on as whole. */
function anyOrigin(): () => void {
  return replaceMethod(Rendezvous.prototype, 'update', (original) => {
    return function update(this: Rendezvous, registrations: Registrations): void {
      const groups = this.copies.groups()
      original.call(this, registrations)
      for (const { partitions, whole, collections } of groups) {
        for (const { name: collection, kind } of collections) {
          for (let index = 0; index < partitions; index++) {
            if ((whole[index >> 3]! & (1 << (index & 7))) === 0) continue
            const name: PartitionName = { collection, kind, partition: partitions + index }
            const origin = this.registered(name)?.origin
            if (origin !== undefined) this.copies.complete(name, origin)
          }
        }
      }
    }
  })
}

/** A former owner drops what it does not own in its own view, whatever the owners have. */
function dropOnOwnView(): () => void {
  const restoreLook = replaceMethod(Handover.prototype, 'look', () => {
    return function look(this: Handover): PartitionName[] {
      return this.former()
    }
  })
  const restoreHandedOver = replaceMethod(Rendezvous.prototype, 'isHandedOver', () => () => true)
  return () => {
    restoreHandedOver()
    restoreLook()
  }
}

/** A hint ends when one peer has the row. */
function hintForOne(): () => void {
  return replaceMethod(Hints.prototype, 'tick', (original) => {
    return function tick(this: Hints): void {
      for (const hint of this) if (hint.storedBy.size > 0) this.end(hint)
      original.call(this)
    }
  })
}

/** Hints are written under the stored replica id, with sequence numbers from 1 at each opening. */
function hintUnderStoredId(): () => void {
  let stored = 0
  let lasts = true
  const given = new WeakMap<Hints, Map<string, number>>()
  const peerOf = new WeakMap<PartitionAccess, Peer>()
  const restoreSteps = replaceMethod(Peer.prototype, 'step', (original) => {
    return function step(this: Peer, ...args: Parameters<Peer['step']>): ReturnType<Peer['step']> {
      peerOf.set(this.partitions, this)
      return original.apply(this, args)
    }
  })
  const restoreWrites = replaceMethod(PartitionAccess.prototype, 'write', (original) => {
    return function write(
      this: PartitionAccess,
      ...args: Parameters<PartitionAccess['write']>
    ): ReturnType<PartitionAccess['write']> {
      const peer = peerOf.get(this)!
      stored = peer.collections.ids.intern(peer.replicaId)
      lasts = peer.persistent
      return original.apply(this, args)
    }
  })
  const restoreHints = replaceMethod(Hints.prototype, 'write', (original) => {
    return function write(
      this: Hints,
      ...[name, row, ...rest]: Parameters<Hints['write']>
    ): ReturnType<Hints['write']> {
      // A peer without a disk has no id of its own in any case.
      if (!lasts) return original.call(this, name, row, ...rest)
      const sequences = given.get(this) ?? new Map<string, number>()
      given.set(this, sequences)
      const key = `${name.collection} ${name.partition}`
      const sequence = (sequences.get(key) ?? 0) + 1
      sequences.set(key, sequence)
      return original.call(this, name, { ...row, writer: stored, sequence }, ...rest)
    }
  })
  return () => {
    restoreHints()
    restoreWrites()
    restoreSteps()
  }
}

/** What the store has of hints is not taken up again. */
function hintsForgotten(): () => void {
  return replaceMethod(Hints.prototype, 'restore', () => function restore(): void {})
}

/** Rows are confirmed before they are durable. */
function confirmedEarly(): () => void {
  return replaceMethod(GroupCommit.prototype, 'whenDurable', () => {
    return function whenDurable(callback: () => void): void {
      callback()
    }
  })
}

/** A peer that leaves goes at once, with what it has. */
function leaveAtOnce(): () => void {
  const original = Object.getOwnPropertyDescriptor(PartitionAccess.prototype, 'remaining')!
  Object.defineProperty(PartitionAccess.prototype, 'remaining', { configurable: true, get: () => [] })
  return () => void Object.defineProperty(PartitionAccess.prototype, 'remaining', original)
}

export type PartitionMutantName =
  | 'whole-by-any'
  | 'whole-by-reach'
  | 'whole-alone'
  | 'trusted-row'
  | 'any-origin'
  | 'drop-on-own-view'
  | 'hint-for-one'
  | 'hint-under-stored-id'
  | 'hints-forgotten'
  | 'confirmed-early'
  | 'leave-at-once'
  | CopyMutantName
  | HintMutantName
  | OwnerMutantName
  | ReadMutantName

/** Planted bugs in partitioned collections. */
export const PARTITION_MUTANTS: Readonly<Record<PartitionMutantName, Mutant>> = {
  'whole-by-any': wholeByAny,
  'whole-by-reach': wholeByReach,
  'whole-alone': wholeAlone,
  'trusted-row': trustedRow,
  'any-origin': anyOrigin,
  'drop-on-own-view': dropOnOwnView,
  'hint-for-one': hintForOne,
  'hint-under-stored-id': hintUnderStoredId,
  'hints-forgotten': hintsForgotten,
  'confirmed-early': confirmedEarly,
  'leave-at-once': leaveAtOnce,
  ...COPY_MUTANTS,
  ...HINT_MUTANTS,
  ...OWNER_MUTANTS,
  ...READ_MUTANTS,
}
