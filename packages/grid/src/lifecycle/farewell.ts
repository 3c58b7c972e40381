import { GridError } from '@gossipgrid/core'
import { afterPatience } from '../flow/patience.ts'
import type { Logger } from '../logger.ts'
import { leaveRegistry } from '../runtime/leaving.ts'
import type { LeavingDeps } from '../runtime/leaving.ts'
import type { Runtime } from '../runtime/runtime.ts'
import type { TeardownStep } from './teardown.ts'
import { settlesInPatience } from '../runtime/waiting.ts'

/** How long closing waits for edits of documents and for pending writes, both together. */
const FLUSH_MAX_MS = 10_000
/** How long saying goodbye to other peers may take. */
const GOODBYE_MAX_MS = 500
/** How long the last writes may take on their way to the network. Other peers get what is late by anti-entropy, from a peer with a directory. */
const LAST_FRAMES_MAX_MS = 1000
/** More than leaving the registry may take. */
const LEAVE_MAX_MS = 2000
/** For steps that wait for nothing. The timer must only be later than they are. */
const AT_ONCE_MAX_MS = 1000

export interface FarewellDeps {
  readonly runtime: Runtime
  readonly faces: readonly { close(): void }[]
  readonly documents: { close(): Promise<void> }
  /** Ends following the page. */
  readonly unfollow: () => void
  /** Whether the peer leaves for good. */
  readonly left: () => boolean
}

/** Stops the peer. Rejects with `CLOSE_INCOMPLETE` if writes are still pending. */
export function haltStep(runtime: Runtime, logger: Logger): TeardownStep {
  return {
    what: 'the peer',
    limitMs: AT_ONCE_MAX_MS,
    close: () => {
      const { storageError: cause } = runtime
      const count = runtime.halt()
      if (count > 0) throw new GridError('CLOSE_INCOMPLETE', `${count} writes were not stored in time`, { cause })
      // The promises of these writes have already rejected.
      if (cause !== undefined) logger.error('closing although some writes could not be stored', { error: cause })
    },
  }
}

/** The steps before the peer of an open grid stops. The last one runs first. */
export function farewellSteps({ runtime, faces, documents, unfollow, left }: FarewellDeps): TeardownStep[] {
  const flushOver = Promise.withResolvers<void>()
  let endFlush = (): void => undefined
  return [
    {
      what: 'the goodbye',
      limitMs: GOODBYE_MAX_MS + AT_ONCE_MAX_MS,
      close: () => settlesInPatience(runtime.sayGoodbye(left()), GOODBYE_MAX_MS),
    },
    {
      what: 'the last frames',
      limitMs: LAST_FRAMES_MAX_MS + AT_ONCE_MAX_MS,
      close: () => settlesInPatience(runtime.broadcastAll(), LAST_FRAMES_MAX_MS),
    },
    {
      what: 'leaving',
      limitMs: LEAVE_MAX_MS,
      close: async () => {
        if (left()) await leaveRegistry(leavingDepsOf(runtime))
      },
    },
    {
      what: 'waiting for writes',
      limitMs: FLUSH_MAX_MS + AT_ONCE_MAX_MS,
      close: async () => {
        await Promise.race([runtime.settled().catch(() => undefined), flushOver.promise])
        endFlush()
      },
    },
    {
      what: 'documents',
      limitMs: FLUSH_MAX_MS,
      close: async () => {
        endFlush = afterPatience(FLUSH_MAX_MS, flushOver.resolve)
        // In the turn in which closing begins: later calls of the grid are refused.
        const failures: unknown[] = []
        for (const close of [unfollow, ...faces.map((face) => () => face.close())]) {
          try {
            close()
          } catch (error) {
            failures.push(error)
          }
        }
        await documents.close()
        if (failures.length > 0) throw failures[0]
      },
    },
  ]
}

function leavingDepsOf({ peer, writes }: Runtime): LeavingDeps {
  return {
    markLeft: () => peer.membership.update({ left: true }),
    forget: () => writes.forget(peer.peerId),
  }
}
