import { documentUpdate, kindCode } from '@gossipgrid/core'
import { DocumentEdits } from '../../../../packages/grid/src/guests/documents/document-edits.ts'
import { covers } from '../../../../packages/grid/src/guests/covering.ts'
import { grantKeyOf, isCounting } from '../../../../packages/grid/src/guests/map-kinds.ts'
import type { PassContent } from '../../../../packages/grid/src/guests/pass-text.ts'
import type { Verdict } from '../../../../packages/grid/src/guests/serving/guest-writes.ts'
import { checkSlot } from '../../../../packages/grid/src/guests/slots/slot-writes.ts'
import type { GuestWrite } from '../../../../packages/grid/src/guests/messages.ts'
import { GuestWrites } from '../../../../packages/grid/src/guests/serving/guest-writes.ts'
import { mapPartition } from '../../../../packages/grid/src/guests/serving/guest-reads.ts'
import { replaceMethod } from '../../../../packages/testing/src/replacements.ts'
import { runtimeOf } from '../simulated-member.ts'

const SETS_KIND = kindCode({ kind: 'sets' })

/** Counts are taken in any slot, without its proof. */
const otherSlotTaken = (): (() => void) =>
  takesUnchecked(async (_, write) => isCounting(write.kind) && !(await isSlotOwn(write)))

/** An element is removed whatever the pass says. */
const otherRemovesTaken = (): (() => void) =>
  takesUnchecked(
    async ({ grants }, { bytes, kind, map, rowKey }) =>
      kind === SETS_KIND && bytes === undefined && !covers(grants, 'write', map, grantKeyOf(kind, rowKey)),
  )

/** A member takes these without looking at them. */
function takesUnchecked(isHere: (pass: PassContent, write: GuestWrite) => Promise<boolean>): () => void {
  return replaceMethod(GuestWrites.prototype, 'take', (original) => {
    return async function take(this: GuestWrites, ...[pass, guest, writes, check]: Parameters<typeof original>) {
      const pump = runtimeOf.get(this)!
      const taken: Verdict[] = []
      const others: GuestWrite[] = []
      for (const write of writes) {
        const { bytes, hlc, map, rowKey } = write
        const partition = mapPartition(pump.peer.collections, map)
        if (partition === undefined || !(await isHere(pass, write))) others.push(write)
        else {
          pump.undisturbed(() => pump.peer.write(partition, rowKey, bytes, pump.now(), hlc))
          taken.push({ write, code: '', text: '' })
        }
      }
      return [...taken, ...(await original.call(this, pass, guest, others, check))]
    }
  })
}

async function isSlotOwn(write: GuestWrite): Promise<boolean> {
  try {
    await checkSlot(write)
    return true
  } catch {
    return false
  }
}

/** An edit is taken under the author that it names. */
const otherAuthorTaken = (): (() => void) =>
  replaceMethod(DocumentEdits.prototype, 'judge', (original) => {
    return function judge(this: DocumentEdits, ...[pass, authors, write, earlier]: Parameters<typeof original>) {
      const named = write.bytes && documentUpdate(write.bytes, 0, write.bytes.length).author
      return original.call(this, pass, named === undefined ? authors : [named], write, earlier)
    }
  })

export type HostileMutantName = 'other-slot-taken' | 'other-removes-taken' | 'other-author-taken'

/** Planted bugs that need a hostile guest to be seen. */
export const HOSTILE_MUTANTS: Readonly<Record<HostileMutantName, () => () => void>> = {
  'other-slot-taken': otherSlotTaken,
  'other-removes-taken': otherRemovesTaken,
  'other-author-taken': otherAuthorTaken,
}
