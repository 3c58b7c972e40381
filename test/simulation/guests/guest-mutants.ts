import { HLC_MAX } from '../../../packages/core/src/clock/hlc.ts'
import { GuestOutbox } from '../../../packages/grid/src/guests/link/guest-outbox.ts'
import { GuestRows } from '../../../packages/grid/src/guests/link/guest-rows.ts'
import { PassHolder } from '../../../packages/grid/src/guests/link/pass-holder.ts'
import { DOCUMENT_KIND, isSlotted } from '../../../packages/grid/src/guests/map-kinds.ts'
import type { GuestWrite } from '../../../packages/grid/src/guests/messages.ts'
import { Revocations } from '../../../packages/grid/src/guests/passes/revocations.ts'
import { GuestReads, mapPartition } from '../../../packages/grid/src/guests/serving/guest-reads.ts'
import { GuestWrites } from '../../../packages/grid/src/guests/serving/guest-writes.ts'
import { SlotEntries } from '../../../packages/grid/src/indexes/slot-entries.ts'
import { GuestSlots } from '../../../packages/grid/src/guests/slots/guest-slots.ts'
import { TakenWrites } from '../../../packages/grid/src/guests/serving/taken-writes.ts'
import { replaceMethod } from '../../../packages/testing/src/replacements.ts'
import { HOSTILE_MUTANTS } from './hostile/hostile-mutants.ts'
import type { HostileMutantName } from './hostile/hostile-mutants.ts'
import { ORDER_MUTANTS } from './partitioned/order-mutants.ts'
import type { OrderMutantName } from './partitioned/order-mutants.ts'
import { runtimeOf } from './simulated-member.ts'

/** Plants a bug in the code of guests and returns a function that removes it. */
type Mutant = () => () => void

/** Reads everything, where `isHere` says so. */
function unfiltered(isHere: (isFilling: boolean, isReset: boolean) => boolean): () => void {
  return replaceMethod(GuestReads.prototype, 'changed', (original) => {
    return function changed(this: GuestReads, ...[partition, since, mayRead]: Parameters<typeof original>) {
      const changes = original.call(this, partition, since, mayRead)
      return isHere(since.isFilling, changes.reset) ? original.call(this, partition, since, () => true) : changes
    }
  })
}

/** Grants are not looked at in what changes while a guest is connected, or while it was away. */
const unfilteredFrames: Mutant = () => unfiltered((isFilling, isReset) => !isFilling && !isReset)

/** Nor in the first load of a map. */
const unfilteredLoad: Mutant = () => unfiltered((isFilling) => isFilling)

/** Nor where purged deletes have overrun a cursor. */
const unfilteredResync: Mutant = () => unfiltered((isFilling, isReset) => isReset && !isFilling)

/** Nor in the rows of documents. */
const unfilteredDocuments: Mutant = () =>
  replaceMethod(GuestReads.prototype, 'changed', (original) => {
    return function changed(this: GuestReads, ...[partition, since, mayRead]: Parameters<typeof original>) {
      const isAll = partition.name.kind === DOCUMENT_KIND
      return original.call(this, partition, since, isAll ? () => true : mayRead)
    }
  })

/** What smaller grants do not cover any more stays at the guest. */
const keptRows: Mutant = () => replaceMethod(GuestRows.prototype, 'restrict', () => () => undefined)

/** What smaller grants do not cover any more stays in live queries, which do not learn that it goes. */
const keptLive: Mutant = () => {
  let isRestricting = false
  const restoreRestrict = replaceMethod(GuestRows.prototype, 'restrict', (original) => {
    return function restrict(this: GuestRows, ...args: Parameters<typeof original>): void {
      isRestricting = true
      original.apply(this, args)
      isRestricting = false
    }
  })
  const restoreObserve = replaceMethod(SlotEntries.prototype, 'observe', (original) => {
    return function observe(this: SlotEntries, ...[changed]: Parameters<typeof original>): () => void {
      return original.call(this, (entry) => {
        if (!isRestricting) changed(entry)
      })
    }
  })
  return () => {
    restoreObserve()
    restoreRestrict()
  }
}

/** A member applies what it refuses. */
const refusedTaken: Mutant = () => takesRefused(({ kind }) => !isSlotted(kind))

/** The same with counts, and with elements of sets. */
const refusedSlotTaken: Mutant = () => takesRefused(({ kind }) => isSlotted(kind))

const takesRefused = (isHere: (write: GuestWrite) => boolean): (() => void) =>
  replaceMethod(GuestWrites.prototype, 'take', (original) => {
    return async function take(this: GuestWrites, ...args: Parameters<typeof original>) {
      const verdicts = await original.apply(this, args)
      const pump = runtimeOf.get(this)!
      for (const { code, write } of verdicts) {
        const partition = mapPartition(pump.peer.collections, write.map)
        if (code !== '' && partition !== undefined && isHere(write))
          pump.undisturbed(() => pump.peer.write(partition, write.rowKey, write.bytes, pump.now()))
      }
      return verdicts
    }
  })

/** A guest passes over what members answer, so what was refused stays. */
const refusedKept: Mutant = () => keepsRefused(() => true)

/** The same with edits of documents. */
const refusedEditKept: Mutant = () => keepsRefused((kind) => kind === DOCUMENT_KIND)

function keepsRefused(isHere: (kind: number) => boolean): () => void {
  let isAnswering = false
  const restoreAnswered = replaceMethod(GuestRows.prototype, 'answered', (original) => {
    return function answered(this: GuestRows, ...args: Parameters<typeof original>): void {
      isAnswering = true
      original.apply(this, args)
      isAnswering = false
    }
  })
  const restoreHas = replaceMethod(GuestOutbox.prototype, 'has', (original) => {
    return function has(this: GuestOutbox, ...args: Parameters<typeof original>): boolean {
      return (isAnswering && isHere(args[0].name.kind)) || original.apply(this, args)
    }
  })
  return () => {
    restoreHas()
    restoreAnswered()
  }
}

/** A guest counts on in a slot of which a member has refused a total, and another one may have taken it. */
const keptSlot: Mutant = () => replaceMethod(GuestSlots.prototype, 'leave', () => () => undefined)

/** Each member dates what a guest writes by its own clock: taken at two of them, a write has two dates. */
const takenTwice: Mutant = () =>
  replaceMethod(GuestWrites.prototype, 'take', (original) => {
    return function take(this: GuestWrites, ...[pass, guest, writes, check]: Parameters<typeof original>) {
      return original.call(
        this,
        pass,
        guest,
        writes.map((write) => ({ ...write, hlc: HLC_MAX })),
        check,
      )
    }
  })

/** Members do not look up what they have answered, and date a write by their own clocks. */
const forgottenAnswers: Mutant = () => {
  const ends = [takenTwice(), replaceMethod(TakenWrites.prototype, 'verdict', () => () => undefined)]
  return () => ends.toReversed().forEach((end) => end())
}

/** A cursor of former grants counts for others as well. */
const formerCursor: Mutant = () => replaceMethod(GuestReads.prototype, 'goesOn', () => () => true)

/** A member that is behind the cursor of a guest lets it go on as if the guest had all rows of both. */
const advancedCursor: Mutant = () =>
  replaceMethod(GuestReads.prototype, 'changed', (original) => {
    return function changed(this: GuestReads, ...[partition, since, mayRead]: Parameters<typeof original>) {
      const changes = original.call(this, partition, since, mayRead)
      if (changes.reset || changes.more) return changes
      const seen = changes.cursor.seen.clone()
      seen.merge(since.seen)
      return { ...changes, cursor: { ...changes.cursor, seen } }
    }
  })

/** A guest goes by its own clock when it renews its pass. */
const ownClock: Mutant = () => replaceMethod(PassHolder.prototype, 'observe', () => () => undefined)

/** Whether a pass is revoked is looked at only when it is shown first. */
const checkedOnce: Mutant = () => {
  const shown = new WeakMap<Revocations, Set<string>>()
  return replaceMethod(Revocations.prototype, 'has', (original) => {
    return function has(this: Revocations, id: string): boolean {
      const known = shown.get(this) ?? new Set()
      shown.set(this, known)
      if (known.has(id)) return false
      const isRevoked = original.call(this, id)
      if (!isRevoked) known.add(id)
      return isRevoked
    }
  })
}

export type GuestMutantName =
  | 'unfiltered-frames'
  | 'unfiltered-load'
  | 'unfiltered-resync'
  | 'unfiltered-documents'
  | 'refused-edit-kept'
  | 'own-clock'
  | 'kept-rows'
  | 'kept-live'
  | 'refused-taken'
  | 'refused-slot-taken'
  | 'kept-slot'
  | 'refused-kept'
  | 'taken-twice'
  | 'forgotten-answers'
  | 'former-cursor'
  | 'advanced-cursor'
  | 'checked-once'
  | OrderMutantName
  | HostileMutantName

/** Planted bugs. A simulator that does not find them is broken. */
export const GUEST_MUTANTS: Readonly<Record<GuestMutantName, Mutant>> = {
  'unfiltered-frames': unfilteredFrames,
  'unfiltered-load': unfilteredLoad,
  'unfiltered-resync': unfilteredResync,
  'unfiltered-documents': unfilteredDocuments,
  'refused-edit-kept': refusedEditKept,
  'own-clock': ownClock,
  'kept-rows': keptRows,
  'kept-live': keptLive,
  'refused-taken': refusedTaken,
  'refused-slot-taken': refusedSlotTaken,
  'kept-slot': keptSlot,
  'refused-kept': refusedKept,
  'taken-twice': takenTwice,
  'forgotten-answers': forgottenAnswers,
  'former-cursor': formerCursor,
  'advanced-cursor': advancedCursor,
  'checked-once': checkedOnce,
  ...ORDER_MUTANTS,
  ...HOSTILE_MUTANTS,
}

/** Runs it while a bug is planted in the code of guests. */
export async function withGuestMutant<Result>(
  name: GuestMutantName | undefined,
  run: () => Promise<Result>,
): Promise<Result> {
  const restore = name === undefined ? undefined : GUEST_MUTANTS[name]()
  try {
    return await run()
  } finally {
    restore?.()
  }
}
