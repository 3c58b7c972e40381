import { DroppedNames, GroupCommit, Inbound, IncomingWrites, Outbox, Peer } from '@gossipgrid/core/internals'
import type { Rendezvous } from '@gossipgrid/core/internals'
import { replaceMethod } from './replacements.ts'

const REFUSED = 4
const KEPT = 1

/** The peer that is taking a step. */
let stepping: Pick<Peer, 'collections' | 'peerId'> | undefined

function watchSteps(): () => void {
  return replaceMethod(Peer.prototype, 'step', (original) => {
    return function step(this: Peer, ...args: Parameters<Peer['step']>): ReturnType<Peer['step']> {
      stepping = { collections: this.collections, peerId: this.peerId }
      return original.apply(this, args)
    }
  })
}

/**
 * A peer refuses rows of partitions that it does not own, in its own view. Alone it breaks no promise, only slows writes down: the writer
 * keeps a row that was refused and sends it again, and no count of copies is enough until every peer in reach that has a copy has it.
 */
function refuseAsNonOwner(): () => void {
  const restoreSteps = watchSteps()
  const restoreAsked = replaceMethod(IncomingWrites.prototype, 'asked', (original) => {
    return function asked(this: IncomingWrites, ...args: Parameters<IncomingWrites['asked']>): void {
      const { peerId, collections } = stepping!
      const placement = collections.placement as Rendezvous
      const restore = replaceMethod(DroppedNames.prototype, 'isDropped', (isDropped) => {
        return function isRefused(this: DroppedNames, ...[name]: Parameters<DroppedNames['isDropped']>): boolean {
          const partition = 'partition' in name ? (name.partition as number) : 0
          const isOwned = (placement.owners({ ...name, partition }) as ReadonlySet<string>).has(peerId)
          return isDropped.call(this, name) || (args[1].reissue !== true && !isOwned)
        }
      })
      try {
        original.apply(this, args)
      } finally {
        restore()
      }
    }
  })
  return () => {
    restoreAsked()
    restoreSteps()
  }
}

/** The same, and the writer counts a peer that has refused a row as one that has it: readers that ask that peer miss the row. */
function refusalCounts(): () => void {
  const restoreRefusal = refuseAsNonOwner()
  const restoreSend = replaceMethod(Outbox.prototype, 'send', (original) => {
    return function send(this: Outbox, ...[to, message]: Parameters<Outbox['send']>): void {
      if (message.type !== 'written') return original.call(this, to, message)
      const outcomes = message.outcomes.map((outcome) => (outcome === REFUSED ? KEPT : outcome))
      return original.call(this, to, { ...message, outcomes })
    }
  })
  return () => {
    restoreSend()
    restoreRefusal()
  }
}

/** A peer confirms a row whose dot it has seen, at once: it does not take the row, which may not be on its disk. */
function confirmTheDot(): () => void {
  const restoreSteps = watchSteps()
  let isSeen = false
  const restoreTake = replaceMethod(Inbound.prototype, 'takeRows', (original) => {
    return function takeRows(this: Inbound, ...[record, now]: Parameters<Inbound['takeRows']>) {
      const vector = stepping?.collections.find(record.partition)?.replica.vector
      const areSeen = record.rows.every((row) => vector?.has(row.writer, row.sequence))
      isSeen &&= areSeen
      return areSeen ? record.rows.map(() => 'taken' as const) : original.call(this, record, now)
    }
  })
  const restoreAsked = replaceMethod(IncomingWrites.prototype, 'asked', (original) => {
    return function asked(this: IncomingWrites, ...args: Parameters<IncomingWrites['asked']>): void {
      isSeen = args[1].reissue !== true
      const restore = replaceMethod(GroupCommit.prototype, 'whenDurable', (whenDurable) => {
        return function whenSeen(this: GroupCommit, callback: () => void): void {
          if (isSeen) callback()
          else whenDurable.call(this, callback)
        }
      })
      try {
        original.apply(this, args)
      } finally {
        restore()
      }
    }
  })
  return () => {
    restoreAsked()
    restoreTake()
    restoreSteps()
  }
}

export type HintMutantName = 'refuse-as-non-owner' | 'refusal-counts' | 'confirm-the-dot'

/** Planted bugs in what becomes of rows that are sent to owners. */
export const HINT_MUTANTS: Readonly<Record<HintMutantName, () => () => void>> = {
  'refuse-as-non-owner': refuseAsNonOwner,
  'refusal-counts': refusalCounts,
  'confirm-the-dot': confirmTheDot,
}
