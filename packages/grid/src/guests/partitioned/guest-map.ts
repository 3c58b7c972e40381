import {
  GridError,
  READ_TIMEOUT_MS,
  VALUE_MAX_BYTES,
  decodeValue,
  encodeValue,
  kindCode,
  wallFromHlc,
} from '@gossipgrid/core'
import type { CollectionDescriptor } from '@gossipgrid/core'
import { checkKey } from '../../batches/checks.ts'
import { KeyTurns } from '../../flow/key-turns.ts'
import { isPromiseLike } from '../../flow/application-calls.ts'
import type { BulkSource } from '../../bulk/bulk-source.ts'
import type { ExpiryOptions } from '../../maps/map-options.ts'
import type { ValueSchema } from '../../maps/schema.ts'
import { onlyDefined } from '../../only-defined.ts'
import { changesOf } from '../../partitioned/changes/map-changes.ts'
import type { ChangedEntry, ChangesDeps, RunningFeed } from '../../partitioned/changes/map-changes.ts'
import type {
  Coverage,
  PartitionChange,
  PartitionChangesOptions,
  PartitionWatchOptions,
  PartitionWatched,
} from '../../partitioned/changes/partition-changes.ts'
import { readOptions } from '../../partitioned/partition-options.ts'
import type {
  OwnerReadOptions,
  PartitionBulkOptions,
  PartitionBulkResult,
  PartitionBulkSetOptions,
  PartitionGetOptions,
  PartitionReceipt,
  PartitionSetOptions,
  PartitionValues,
  PartitionWalkOptions,
  PartitionWriteOptions,
} from '../../partitioned/partition-options.ts'
import type { RoutedEntries } from '../../partitioned/routed-entries.ts'
import type { MapWork } from '../../partitioned/routed-map.ts'
import { Places } from '../../partitioned/places.ts'
import type { Pump } from '../../runtime/write-path.ts'
import type { AskedMap } from '../asked-map.ts'
import { coveredWithin, covers, notCovered } from '../covering.ts'
import { ChangesAtGuest } from '../feeds/changes-at-guest.ts'
import type { FedEntry } from '../feeds/feed-request.ts'
import type { GuestFeeds } from '../feeds/guest-feeds.ts'
import { GUEST_REQUEST_KEYS_MAX } from '../guest-limits.ts'
import { writeMany } from './guest-bulk.ts'
import type { PlannedWrite } from './guest-bulk.ts'
import type { GuestRequests } from './guest-requests.ts'
import { encodeMapRequest } from './map-request.ts'
import type { MapQuestion, RepliedEntry, WalkPlace } from './map-request.ts'

/** Keys whose last write is known as the guest's own when its change comes. */
const OWN_WRITES_MAX = 1000

/** An entry as a member has replied. */
interface FoundAtMember {
  /** Undefined if there is none. */
  readonly bytes: Uint8Array | undefined
  readonly expiresAtMs: number | undefined
}

export interface GuestMapDeps {
  readonly requests: GuestRequests
  readonly feeds: GuestFeeds
  /** Its clock says when entries expire. */
  readonly pump: Pump
  readonly descriptor: CollectionDescriptor
  readonly schema: ValueSchema | undefined
  readonly mapTtlMs: number | undefined
}

/** A partitioned map at a guest: each call asks the member that the guest is connected to. `PartitionedMap` says what each method promises. */
export class GuestMap<Value> implements MapWork<Value> {
  readonly #deps: GuestMapDeps
  readonly #turns = new KeyTurns()
  /** By key, the date of the last write of this guest. */
  readonly #own = new Map<string, number>()

  constructor(deps: GuestMapDeps) {
    this.#deps = deps
  }

  get entries(): RoutedEntries {
    throw forMembers('copies collections')
  }

  async get(key: string, options: PartitionGetOptions): Promise<Value | undefined> {
    const { bytes } = await this.#one(key, options)
    return bytes === undefined ? undefined : (decodeValue(bytes) as Value)
  }

  async has(key: string, options: OwnerReadOptions): Promise<boolean> {
    return (await this.#one(key, options)).bytes !== undefined
  }

  async expiresAt(key: string, options: OwnerReadOptions): Promise<Date | undefined> {
    const { expiresAtMs } = await this.#one(key, options)
    return expiresAtMs === undefined ? undefined : new Date(expiresAtMs)
  }

  async getMany(keys: Iterable<string>, options: OwnerReadOptions): Promise<PartitionValues<Value>> {
    const wanted = [...new Set(keys)]
    const values = new Map<string, Value>()
    const unanswered: string[] = []
    for (const [place, found] of (await this.#read(wanted, options)).entries()) {
      const key = wanted[place]!
      if (found === undefined) unanswered.push(key)
      else if (found.bytes !== undefined) values.set(key, decodeValue(found.bytes) as Value)
    }
    return Object.assign(values, { complete: unanswered.length === 0, unanswered })
  }

  async set(key: string, value: Value, options: PartitionSetOptions): Promise<PartitionReceipt> {
    const bytes = this.#encode(value)
    return (await this.#turns.take(key, () => this.#write(key, bytes, options, options)))!
  }

  async touch(
    key: string,
    ttlMs: number | undefined,
    options: PartitionWriteOptions,
  ): Promise<PartitionReceipt | undefined> {
    return this.#turns.take(key, async () => {
      const { bytes } = await this.#one(key, readOptions(options))
      return bytes === undefined ? undefined : this.#write(key, bytes, options, ttlMs === undefined ? {} : { ttlMs })
    })
  }

  async delete(key: string, options: PartitionWriteOptions): Promise<PartitionReceipt | undefined> {
    return this.#turns.take(key, () => this.#write(key, undefined, options, {}))
  }

  async update(
    key: string,
    change: (value: Value | undefined) => Value | undefined,
    options: PartitionSetOptions,
  ): Promise<PartitionReceipt | undefined> {
    return this.#turns.take(key, async () => {
      const { bytes } = await this.#one(key, readOptions(options))
      const next = change(bytes === undefined ? undefined : (decodeValue(bytes) as Value))
      if (isPromiseLike(next)) {
        // Its error would be unhandled.
        next.then(undefined, () => undefined)
        throw new GridError('INVALID_VALUE', 'the function of an update must not be asynchronous: it returns the value')
      }
      if (next === undefined && bytes === undefined) return undefined
      return this.#write(key, next === undefined ? undefined : this.#encode(next), options, options)
    })
  }

  async transact(): Promise<never> {
    throw forMembers('writes batches to partitioned maps: use setMany, of which each entry is taken or refused alone')
  }

  setMany(
    source: BulkSource<readonly [string, Value]>,
    options: PartitionBulkSetOptions,
  ): Promise<PartitionBulkResult> {
    const { expiresAt: _, onProgress, ttlMs: __, ...write } = options
    const plan = ([key, value]: readonly [string, Value]): PlannedWrite => {
      this.#checkWrite(key)
      const bytes = this.#encode(value)
      const sizeBytes = key.length + bytes.length
      return { sizeBytes, write: () => this.#turns.take(key, () => this.#write(key, bytes, write, options)) }
    }
    return writeMany(source, plan, onlyDefined({ onProgress, signal: options.signal }))
  }

  /** Of the keys that the pass lets the guest write. */
  async clear(options: PartitionBulkOptions): Promise<Coverage & { readonly deleted: number }> {
    this.checkRange('')
    const { onProgress, ...write } = options
    const { name } = this.#deps.descriptor
    let coverage: Coverage = { complete: false, unanswered: [] }
    const walked = this.walk(
      { ...readOptions(options), partial: true },
      (key) => key,
      (covered) => (coverage = covered),
    )
    const mayWrite = (key: string): boolean => covers(this.#deps.requests.grants ?? [], 'write', name, key)
    const plan = (key: string): PlannedWrite => {
      return { sizeBytes: key.length, write: async () => (mayWrite(key) ? this.delete(key, write) : undefined) }
    }
    const { written } = await writeMany(walked, plan, onlyDefined({ onProgress, signal: options.signal }))
    return { deleted: written, ...coverage }
  }

  async size(options: OwnerReadOptions): Promise<Coverage & { readonly size: number }> {
    const { rows, complete, unanswered } = (await this.ask(
      { op: 'groups', asked: { count: true } },
      options,
    )) as Coverage & { readonly rows: readonly { readonly count: number }[] }
    return { size: rows[0]!.count, complete, unanswered }
  }

  async *walk<Shown>(
    options: PartitionWalkOptions,
    show: (key: string, content: Uint8Array) => Shown,
    covered: (coverage: Coverage) => void,
  ): AsyncGenerator<Shown, void, undefined> {
    const { prefix = '', partial, signal, timeoutMs } = options
    this.checkRange(prefix)
    const unanswered = new Set<number>()
    let place: WalkPlace | undefined
    do {
      const reply = (await this.ask({ op: 'walk', prefix, place }, onlyDefined({ signal, timeoutMs }))) as {
        readonly rows: readonly (readonly [string, Uint8Array])[]
        readonly unanswered: readonly number[]
        readonly next?: WalkPlace
      }
      for (const partition of reply.unanswered) unanswered.add(partition)
      for (const [key, bytes] of reply.rows) if (this.#isShown(bytes)) yield show(key, bytes)
      place = reply.next
    } while (place !== undefined)
    covered({ complete: unanswered.size === 0, unanswered: [...unanswered] })
    if (unanswered.size > 0 && partial !== true)
      throw new GridError('OWNERS_UNREACHABLE', `entries in ${unanswered.size} partitions were not answered for`)
  }

  /** Calls `begun` once. */
  changes(
    options: PartitionChangesOptions & PartitionWatchOptions,
    begun: (running: RunningFeed) => void,
  ): AsyncGenerator<PartitionChange<Value> & PartitionWatched, void, undefined> {
    const { descriptor, feeds, pump } = this.#deps
    const { initial = false, key, prefix = '', signal } = options
    if (key === undefined) this.checkRange(prefix)
    else {
      checkKey(key)
      feeds.check(descriptor.name, key)
    }
    const places = new Places(descriptor)
    const follow = { prefix: key ?? prefix, exact: key !== undefined, initial }
    const deps: ChangesDeps<FedEntry> = {
      begun,
      places,
      // Its cursors are not those of members.
      cursorOf: { seed: ~pump.peer.collections.seed, descriptor },
      wallMs: () => pump.wallMs,
      source: (names, since) => {
        const indexOf = places.indexOf.bind(places)
        return new ChangesAtGuest({ feeds, asked: this.asked, follow, names, indexOf, since, signal })
      },
      read: (entry) => this.#changed(entry),
    }
    return changesOf<Value, FedEntry>(deps, options)
  }

  /** What members are asked about. */
  get asked(): AskedMap {
    const { name, owners, partitions } = this.#deps.descriptor
    const kind = kindCode(this.#deps.descriptor)
    return { map: name, kind, owners: owners!, partitions, timeoutMs: READ_TIMEOUT_MS }
  }

  /** Asks a member. Rejects as `GuestRequests.ask` does. */
  ask(question: MapQuestion, options: OwnerReadOptions, contentBytes: number = 0): Promise<unknown> {
    let dateHlc: number | undefined
    const { asked } = this
    return this.#deps.requests.ask(
      ({ again, timeoutMs }) => {
        if (question.op !== 'write') return encodeMapRequest({ ...asked, ...question, timeoutMs })
        // Its date is for good: members that it is sent to write the same.
        dateHlc ??= this.#date(question.key)
        return encodeMapRequest({ ...asked, ...question, timeoutMs, again, dateHlc })
      },
      contentBytes,
      options,
    )
  }

  /** Throws `FORBIDDEN` if the pass covers no key with this prefix, as far as the guest knows. */
  checkRange(prefix: string): void {
    const { descriptor, requests } = this.#deps
    const { grants } = requests
    if (grants !== undefined && coveredWithin(grants, descriptor.name, prefix).length === 0)
      throw notCovered(descriptor.name)
  }

  /** Entries that are not valid by the schema are not shown. */
  #isShown(bytes: Uint8Array): boolean {
    const { schema } = this.#deps
    return schema === undefined || schema.fits(decodeValue(bytes))
  }

  /** The date of a write now, by which its change is known when it comes. */
  #date(key: string): number {
    const hlc = this.#deps.requests.date()
    this.#own.delete(key)
    this.#own.set(key, hlc)
    if (this.#own.size > OWN_WRITES_MAX) this.#own.delete(this.#own.keys().next().value!)
    return hlc
  }

  #changed({ bytes, expiresAtMs = Infinity, hlc, key, subject }: FedEntry): ChangedEntry {
    const local = this.#own.get(key) === hlc
    const content = bytes !== undefined && this.#isShown(bytes) ? bytes : undefined
    const by = local || subject === undefined ? {} : { subject }
    const origin = { local, by: undefined, ...by, at: new Date(wallFromHlc(hlc)) }
    return { key, content, expiresAtMs, origin }
  }

  #encode(value: Value): Uint8Array {
    const { schema } = this.#deps
    return encodeValue(schema === undefined ? value : schema.accepted(value), VALUE_MAX_BYTES)
  }

  async #one(key: string, options: PartitionGetOptions): Promise<FoundAtMember> {
    const [found] = await this.#read([key], options)
    if (found === undefined)
      throw new GridError('OWNERS_UNREACHABLE', 'the entry may exist, but the member reached no owner in time')
    return found
  }

  /** Undefined for what no owner has answered for in time. */
  async #read(keys: readonly string[], options: PartitionGetOptions): Promise<readonly (FoundAtMember | undefined)[]> {
    const { descriptor, requests } = this.#deps
    for (const key of keys) {
      checkKey(key)
      requests.check('read', descriptor.name, key)
    }
    const { from, ...rest } = options
    const found: (FoundAtMember | undefined)[] = []
    while (found.length < keys.length) {
      const some = keys.slice(found.length, found.length + GUEST_REQUEST_KEYS_MAX)
      const bytes = some.reduce((sum, key) => sum + key.length, 0)
      const reply = (await this.ask({ op: 'read', keys: some, all: from === 'all' }, rest, bytes)) as {
        readonly entries: readonly RepliedEntry[]
      }
      if (reply.entries.length === 0) throw new GridError('MESSAGE_MALFORMED', 'a member replies nothing')
      for (const { bytes: content, expiresAtMs, isUnknown } of reply.entries) {
        const isHere = content !== undefined && this.#isShown(content)
        if (isUnknown === true) found.push(undefined)
        else found.push(isHere ? { bytes: content, expiresAtMs } : { bytes: undefined, expiresAtMs: undefined })
      }
    }
    return found
  }

  #checkWrite(key: string): void {
    checkKey(key)
    this.#deps.requests.check('write', this.#deps.descriptor.name, key)
  }

  /** Undefined for the delete of what is not there. */
  async #write(
    key: string,
    bytes: Uint8Array | undefined,
    options: PartitionWriteOptions,
    { expiresAt, ttlMs = this.#deps.mapTtlMs }: ExpiryOptions,
  ): Promise<PartitionReceipt | undefined> {
    this.#checkWrite(key)
    const { copies } = options
    const question: MapQuestion = {
      op: 'write',
      key,
      bytes,
      dateHlc: 0,
      again: false,
      ttlMs: bytes === undefined || expiresAt !== undefined ? undefined : ttlMs,
      expiresAtMs: bytes === undefined ? undefined : expiresAt?.getTime(),
      copies: copies === 'all' ? 0 : copies,
    }
    const reply = await this.ask(question, readOptions(options), key.length + (bytes?.length ?? 0))
    return (reply as { readonly receipt?: PartitionReceipt }).receipt
  }
}

/** The error for what guests do not do. */
export function forMembers(what: string): GridError {
  return new GridError('FORBIDDEN', `only a member ${what}`)
}
