import { GroupCommit, Handover, LargestRows, NeighbourWrites, Outbox, Rendezvous } from '@gossipgrid/core/internals'
import type { PartitionName } from '@gossipgrid/core'
import { replaceMethod } from './replacements.ts'

/** A former owner drops its copy although something has come to it since the owners said yes, however long ago. */
function dropOnStaleYes(): () => void {
  return replaceMethod(Handover.prototype, 'isCurrent', () => () => true)
}

/** An owner says that it has a copy before what came last is on its disk. */
function yesBeforeDurable(): () => void {
  return replaceMethod(Handover.prototype, 'asked', (original) => {
    return function asked(this: Handover, ...args: Parameters<Handover['asked']>): void {
      const restore = replaceMethod(GroupCommit.prototype, 'whenDurable', () => (callback) => callback())
      try {
        original.apply(this, args)
      } finally {
        restore()
      }
    }
  })
}

/** An owner says that it has a copy, and drops its own all the same when others own it. */
function yesWithoutPromise(): () => void {
  return replaceMethod(Handover.prototype, 'isKept', () => () => false)
}

/** Writes go to owners alone, and not to those that had the partition before and are still read. */
function audienceOfOwners(): () => void {
  return replaceMethod(Rendezvous.prototype, 'audience', () => {
    return function audience(this: Rendezvous, name: PartitionName): ReturnType<Rendezvous['audience']> {
      return this.owners(name)
    }
  })
}

/** An answer does not say which delete has taken a key away. */
function absentWithoutVersion(): () => void {
  return replaceMethod(LargestRows.prototype, 'of', (original) => {
    return function of(this: LargestRows, ...[key, found]: Parameters<LargestRows['of']>) {
      const answered = found.filter(({ bytes }) => bytes !== undefined)
      return original.call(this, key, answered)
    }
  })
}

/** A peer that a row was sent to is taken to have it. */
function copiesByBelief(): () => void {
  let sent: Parameters<NeighbourWrites['sent']>[1] | undefined
  const restoreSent = replaceMethod(NeighbourWrites.prototype, 'sent', (original) => {
    return function sentTo(this: NeighbourWrites, ...args: Parameters<NeighbourWrites['sent']>): void {
      sent = args[1]
      original.apply(this, args)
    }
  })
  const restoreSend = replaceMethod(Outbox.prototype, 'send', (original) => {
    return function send(this: Outbox, ...args: Parameters<Outbox['send']>): void {
      if (args[1].type === 'write') for (const hint of sent?.hints ?? []) hint.storedBy.add(args[0])
      sent = undefined
      original.apply(this, args)
    }
  })
  return () => {
    restoreSend()
    restoreSent()
  }
}

export type CopyMutantName =
  | 'drop-on-stale-yes'
  | 'yes-before-durable'
  | 'yes-without-promise'
  | 'audience-of-owners'
  | 'absent-without-version'
  | 'copies-by-belief'

/** Planted bugs in what becomes of the copies of a partition. */
export const COPY_MUTANTS: Readonly<Record<CopyMutantName, () => () => void>> = {
  'drop-on-stale-yes': dropOnStaleYes,
  'yes-before-durable': yesBeforeDurable,
  'yes-without-promise': yesWithoutPromise,
  'audience-of-owners': audienceOfOwners,
  'absent-without-version': absentWithoutVersion,
  'copies-by-belief': copiesByBelief,
}
