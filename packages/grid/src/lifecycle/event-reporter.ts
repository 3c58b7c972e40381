import type { AskedQuery, GridError, Known, MemberState, PeerEvent } from '@gossipgrid/core'
import type { Emitter } from '../changes/emitter.ts'
import type { Logger } from '../logger.ts'
import { Seldom } from '../runtime/seldom.ts'
import type { Convergence } from '../status/convergence.ts'
import type { GridMember, Recovery } from '../status/status.ts'

const RECOVERIES_MAX = 16
/** Refused input of one peer with one error code is logged at most this often. */
const REFUSAL_LOG_GAP_MS = 60_000

/** A collection was dropped. */
export type DroppedCollection = Extract<PeerEvent, { type: 'dropped' }>

/** A write of this guest that a member has refused. What is there at members has taken its place. */
export interface RefusedWrite {
  /** The name of the map, set or counter; '' for an edit of a document. */
  readonly collection: string
  /** The name of the document that was edited. Undefined for others. */
  readonly doc?: string
  /** The key of the entry; '' in a single set or counter; the name of the document. */
  readonly key: string
  /** In a map with fields: the field. Undefined for the object as a whole. */
  readonly field: string | undefined
  /** The element of a set. Undefined for others. */
  readonly element?: unknown
}

/** Events of a grid. */
export interface GridEvents {
  /** A member was seen for the first time, or its state changed. */
  member: GridMember
  /** `disconnect` or `connect` was called. */
  connection: { readonly online: boolean }
  /**
   * The connection or the convergence of this peer has changed: what `status().convergence` is now. Changes within 200 ms are
   * one event.
   */
  convergence: Convergence
  /** An anti-entropy session has ended. */
  session: Extract<PeerEvent, { type: 'session' }>
  /**
   * Input from a peer was refused. `error.code` says why. At a guest: a member has refused `write`, such as with `FORBIDDEN`.
   */
  refused: { readonly from: string; readonly error: GridError; readonly write?: RefusedWrite }
  /** The store failed. Storing is retried. */
  storage: { readonly error: unknown }
  /** This peer took a new replica id, or found unreadable stored data. `status()` also has what opening found. */
  recovery: Recovery
  /**
   * An open collection can no longer be written to, and writes throw `COLLECTION_MISMATCH`: another peer had opened a
   * collection of another kind under its name before. Its entries stay readable.
   */
  mismatch: { readonly name: string; readonly reason: string }
  /**
   * A collection was dropped, here or at another peer, and is gone. Writes to what was opened of it throw
   * `COLLECTION_DROPPED`; opened again, it is a new one. `lost` has what this peer wrote without knowing of the drop.
   */
  dropped: DroppedCollection
  /**
   * No registered peer has a whole copy of these partitions of a collection any more, as when all disks that had one are lost. Each is
   * reported once. Reads of their keys reject with `OWNERS_UNREACHABLE`; `grid.beginAgain` lets them go on without what is lost.
   */
  'partition-lost': { readonly name: string; readonly partitions: readonly number[] }
  /** The grid is closed. */
  close: undefined
}

export const GRID_EVENTS: Known<GridEvents> = {
  member: true,
  connection: true,
  convergence: true,
  session: true,
  refused: true,
  storage: true,
  recovery: true,
  mismatch: true,
  dropped: true,
  'partition-lost': true,
  close: true,
}

export interface EventReporterDeps {
  readonly events: Emitter<GridEvents>
  readonly logger: Logger
  /** This peer and another one have exchanged everything. */
  exchanged(): void
  memberChanged(peerId: string, state: MemberState): void
  /** Collections were dropped. */
  dropped(): void
  /** Another peer asks a query of partitions of this one. */
  asked(query: AskedQuery): void
  /** An event of topics or presence. */
  signalled(event: PeerEvent): void
}

/** Turns what a peer reports into events of its grid and lines of its log. */
export class EventReporter {
  readonly #deps: EventReporterDeps
  readonly #recoveries: Recovery[] = []
  readonly #refusalsLogged = new Seldom(REFUSAL_LOG_GAP_MS)

  constructor(deps: EventReporterDeps) {
    this.#deps = deps
  }

  /** The last 16 recoveries since opening. */
  get recoveries(): readonly Recovery[] {
    return this.#recoveries
  }

  report(event: PeerEvent): void {
    const { events, logger } = this.#deps
    switch (event.type) {
      case 'session':
        if (event.complete) this.#deps.exchanged()
        events.emit('session', event)
        break
      case 'member':
        this.#deps.memberChanged(event.record.peerId, event.state)
        break
      case 'refused':
        this.#logRefused(event.from, event.error)
        events.emit('refused', event)
        break
      case 'not-durable':
        events.emit('storage', event)
        break
      case 'replica-id':
        logger.info(`new replica id ${event.replicaId}: ${event.reason}`, { replicaId: event.replicaId })
        this.#recovered(`new replica id: ${event.reason}`)
        break
      case 'damaged':
        this.#damaged(event.key, event.reason)
        break
      case 'mismatch':
        logger.error(event.reason, { code: 'COLLECTION_MISMATCH' })
        events.emit('mismatch', { name: event.name, reason: event.reason })
        break
      case 'dropped':
        this.#deps.dropped()
        logger.info(`'${event.name}' was dropped`)
        events.emit('dropped', event)
        break
      case 'partition-lost':
        logger.error(`${event.partitions.length} partitions of '${event.name}' are lost: no peer has a whole copy`, {
          partitions: event.partitions,
        })
        events.emit('partition-lost', event)
        break
      case 'identity-in-use':
        logger.error(event.reason)
        this.#recovered(event.reason)
        break
      case 'query':
        this.#deps.asked(event.query)
        break
      case 'durable':
      case 'copies':
        break
      default:
        this.#deps.signalled(event)
    }
  }

  #damaged(blob: string, reason: string): void {
    const what = blob === '' ? reason : `stored blob '${blob}' is damaged: ${reason}`
    this.#deps.logger.warn(`${what}; lost data is fetched from other peers`, { blob, reason })
    this.#recovered(what)
  }

  #logRefused(from: string, { code, message }: GridError): void {
    if (!this.#refusalsLogged.due(`${from} ${code}`, performance.now())) return
    // While owners change, a write can come to a peer that is no owner yet, or no more. Its writer keeps it.
    const level = code === 'NOT_HELD' ? 'debug' : 'warn'
    this.#deps.logger[level](`refused from ${from}: ${code}: ${message}`, { peerId: from, code })
  }

  #recovered(reason: string): void {
    const recovery = { reason, atMs: Date.now() }
    this.#recoveries.push(recovery)
    if (this.#recoveries.length > RECOVERIES_MAX) this.#recoveries.shift()
    this.#deps.events.emit('recovery', recovery)
  }
}
