import { decodeValue, subjectOf, wallFromHlc } from '@gossipgrid/core'
import type { Partition, Peer } from '@gossipgrid/core'
import { putDecoded } from '../changes/unread-change.ts'
import type { UnreadChange } from '../changes/unread-change.ts'

/** A change of an entry, or the mark that changes were left out. A plain object that only this reader has. */
export interface Change<Value> {
  /** `lagged`: the reader was too slow, and `missed` changes were left out. Read the current entries to continue. */
  readonly type: 'set' | 'delete' | 'lagged'
  /** '' if lagged. */
  readonly key: string
  /** The new value. Undefined for a delete, and if lagged. */
  readonly value: Value | undefined
  /** The value before, if this peer had one. */
  readonly previous: Value | undefined
  /** This peer wrote it. */
  readonly local: boolean
  /** The peer that wrote it. Undefined if that is not known: the peer has gone or has a new replica id, or the entry expired. */
  readonly by: string | undefined
  /** The subject of the guest that wrote it, for which that peer vouches. Only there where a guest did, and another than this one. */
  readonly subject?: string
  /** When it was written, by the grid's clock, or when it expired. Undefined if lagged. */
  readonly at: Date | undefined
  /** Number of changes that were left out. 0 unless lagged. */
  readonly missed: number
}

/** Where a change comes from. */
export interface Origin extends Pick<Change<unknown>, 'local' | 'by' | 'subject'> {
  readonly atMs: number
}

/** Where the row in a slot comes from. */
export function originOf({ replica }: Partition, slot: number, peer: Peer): Origin {
  const { table } = replica
  const expiredAtMs = table.deleted(slot) ? table.expiresAtMs(slot) : 0
  if (expiredAtMs > 0 && expiredAtMs < Infinity) return { local: false, by: undefined, atMs: expiredAtMs }
  const replicaId = peer.collections.ids.id(table.writer(slot))
  const local = replicaId === peer.replicaId
  const by = local ? peer.peerId : peer.membership.writerOf(replicaId)
  const bytes = table.value(slot)
  const subject = bytes && subjectOf(bytes)
  return { local, by, atMs: wallFromHlc(table.hlc(slot)), ...(subject === undefined ? {} : { subject }) }
}

/** A change of an entry, with its values as encoded bytes. */
export class EncodedChange<Value> implements UnreadChange<Change<Value>> {
  readonly key: string
  readonly sizeBytes: number
  readonly #content: Uint8Array | undefined
  readonly #before: Uint8Array | undefined
  readonly #origin: Origin
  #kept: EncodedChange<Value> | undefined

  constructor(key: string, content: Uint8Array | undefined, before: Uint8Array | undefined, origin: Origin) {
    this.key = key
    this.sizeBytes = key.length + (content?.length ?? 0) + (before?.length ?? 0)
    this.#content = content
    this.#before = before
    this.#origin = origin
  }

  /** With copies of the values: views would keep the slabs that contain them alive. All readers share the copies. */
  kept(): EncodedChange<Value> {
    this.#kept ??= this.#copy()
    return this.#kept
  }

  read(): Change<Value> {
    const change: Change<Value> = {
      type: this.#content === undefined ? 'delete' : 'set',
      key: this.key,
      value: undefined,
      previous: undefined,
      local: this.#origin.local,
      by: this.#origin.by,
      ...(this.#origin.subject === undefined ? {} : { subject: this.#origin.subject }),
      at: new Date(this.#origin.atMs),
      missed: 0,
    }
    if (this.#content !== undefined) putDecoded(change, 'value', this.#content, decodeValue)
    if (this.#before !== undefined) putDecoded(change, 'previous', this.#before, decodeValue)
    return change
  }

  #copy(): EncodedChange<Value> {
    const [content, before] = [this.#content, this.#before]
    const length = content?.length ?? 0
    // One buffer for both, because each buffer has a high cost.
    const bytes = new Uint8Array(length + (before?.length ?? 0))
    if (content !== undefined) bytes.set(content)
    if (before !== undefined) bytes.set(before, length)
    const copy = new EncodedChange<Value>(
      this.key,
      content === undefined ? undefined : bytes.subarray(0, length),
      before === undefined ? undefined : bytes.subarray(length),
      this.#origin,
    )
    copy.#kept = copy
    return copy
  }
}
