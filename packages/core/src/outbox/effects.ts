import type { GridError } from '../errors.ts'
import type { CollectionKind } from '../kinds/kinds.ts'
import type { MemberRecord } from '../wire/member-record.ts'
import type { PeerId, StorageOperation } from '../ports.ts'
import type { ReplicaId } from '../versions/replica-ids.ts'
import type { AskedQuery } from '../wire/read-messages.ts'
import type { TopicMessage } from '../wire/topic-message.ts'

/** What happens to a peer from outside. Local writes come through `Peer.write` instead. */
export type Input =
  /** Time has passed: at the latest when `Peer.wakeAtMs` is reached. */
  | { readonly type: 'tick' }
  | { readonly type: 'connected'; readonly neighbour: PeerId }
  | { readonly type: 'disconnected'; readonly neighbour: PeerId }
  | { readonly type: 'message'; readonly from: PeerId; readonly bytes: Uint8Array }
  | { readonly type: 'broadcast'; readonly from: PeerId; readonly bytes: Uint8Array }
  /** A frame that came straight from the neighbour. */
  | { readonly type: 'direct'; readonly from: PeerId; readonly bytes: Uint8Array }
  /** A peer broke the protocol below core, and was shown out. */
  | { readonly type: 'hostile'; readonly neighbour: PeerId; readonly reason: string }
  /** A `broadcast` effect has been handed on and the send buffers have room. */
  | { readonly type: 'broadcasted' }
  /** A `direct` effect has been handed on; `missed` are the neighbours that did not get it. */
  | { readonly type: 'directed'; readonly missed: readonly PeerId[] }
  /** A `store` effect is done; with a persistent store it survives a power cut. */
  | { readonly type: 'stored'; readonly ticket: number }
  | { readonly type: 'store-failed'; readonly ticket: number; readonly error: unknown }
  /** The addresses under which this peer can be reached have changed. */
  | { readonly type: 'addresses'; readonly addresses: readonly string[] }
  /** This peer may be silent for long from now on, without being gone; or it is back. */
  | { readonly type: 'asleep'; readonly asleep: boolean }

/** What a peer wants done. Effects of one kind are to be performed in order. */
export type Effect =
  | { readonly type: 'send'; readonly to: PeerId; readonly bytes: Uint8Array }
  | { readonly type: 'broadcast'; readonly bytes: Uint8Array }
  /** Straight to these neighbours; answered by `directed`. */
  | { readonly type: 'direct'; readonly to: readonly PeerId[]; readonly bytes: Uint8Array }
  /** One atomic durable batch; answered by `stored` or `store-failed`. At most one is under way. */
  | { readonly type: 'store'; readonly ticket: number; readonly batch: readonly StorageOperation[] }
  /** A member that is not a neighbour is to be connected to. */
  | { readonly type: 'dial'; readonly peerId: PeerId; readonly addresses: readonly string[] }
  /** Broadcast from this neighbour has gone silent although it has news. */
  | { readonly type: 'redial'; readonly neighbour: PeerId }
  /** This neighbour sent too much that is malformed. */
  | { readonly type: 'refuse'; readonly neighbour: PeerId; readonly refusedMs: number; readonly reason: string }
  | { readonly type: 'event'; readonly event: PeerEvent }

/**
 * - `alive`: it gave a sign of life within the lease;
 * - `suspect`: silent for longer than that;
 * - `asleep`: it has said that it may be silent for long, and was not silent for an hour yet;
 * - `gone`: silent for 30 s, closed, or left.
 */
export type MemberState = 'alive' | 'suspect' | 'asleep' | 'gone'

/** A write to a map that a drop lost. */
export interface LostWrite {
  readonly key: string
  /** In a map with fields: the field. */
  readonly field?: string
  readonly value: unknown
}

/** What an application may want to hear of, besides the changes that `Replica.observe` reports. */
export type PeerEvent =
  /** All writes up to this id are durable (persistent peers), or applied (others). */
  | { readonly type: 'durable'; readonly writeId: number }
  /** Writes up to this id are applied but could not be stored; storing goes on being tried. */
  | { readonly type: 'not-durable'; readonly writeId: number; readonly error: unknown }
  /** So many durable copies of a write are known, on so many peers in all, the writer's own included. */
  | {
      readonly type: 'copies'
      readonly request: number
      readonly copies: number
      readonly peers: number
      /** As many as were asked for. */
      readonly isEnough: boolean
    }
  | { readonly type: 'member'; readonly record: MemberRecord; readonly state: MemberState }
  /** An anti-entropy session has ended; `complete` when both sides have all that the other had. */
  | {
      readonly type: 'session'
      readonly neighbour: PeerId
      readonly complete: boolean
      readonly rowsSent: number
      readonly rowsReceived: number
    }
  /** Messages of topics, from another peer or from this one. */
  | { readonly type: 'topic-messages'; readonly from: PeerId; readonly messages: readonly TopicMessage[] }
  /** Messages of this peer up to this number have been handed to the network, or there was no neighbour. */
  | { readonly type: 'published'; readonly number: number }
  /** A peer's state, this one's included, is another now; `value` undefined: it has none any more. */
  | { readonly type: 'presence'; readonly peerId: PeerId; readonly value: Uint8Array | undefined }
  /** Something from a peer was refused. */
  | { readonly type: 'refused'; readonly from: PeerId; readonly error: GridError }
  /** This peer took a new replica id. */
  | { readonly type: 'replica-id'; readonly replicaId: ReplicaId; readonly reason: string }
  /** Another process seems to run under the peer id of this one: both suffer until one of them ends. */
  | { readonly type: 'identity-in-use'; readonly reason: string }
  /** The name of a collection that is open here was another kind's first, elsewhere. */
  | { readonly type: 'mismatch'; readonly name: string; readonly reason: string }
  /**
   * A collection was dropped, here (`local`) or elsewhere, and is gone. `lostWrites` of this peer's entries had not been seen by the
   * peer that dropped it; of a map, `lost` has the first 1,000 of them.
   */
  | {
      readonly type: 'dropped'
      /** The name of the collection. */
      readonly name: string
      /** Its kind, as in `grid.collections()`. */
      readonly kind: CollectionKind
      /** It was dropped by this peer. */
      readonly local: boolean
      /** Writes of this peer that the drop has lost, because the peer that dropped the collection had not seen them. */
      readonly lostWrites: number
      /** Those of a map, with key and value: 1,000 at most. */
      readonly lost: readonly LostWrite[]
    }
  /** No registered peer has a whole copy of these partitions any more: what only those had is lost. */
  | { readonly type: 'partition-lost'; readonly name: string; readonly partitions: readonly number[] }
  /** Another peer asks a query of partitions that this one may answer for. */
  | { readonly type: 'query'; readonly query: AskedQuery }
  /** A stored blob was unreadable; its contents come back from the other peers. */
  | { readonly type: 'damaged'; readonly key: string; readonly reason: string }
