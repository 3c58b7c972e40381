import { GridError, encodeValue, kindCode, partitionNumber } from '@gossipgrid/core'
import type { GridErrorCode } from '@gossipgrid/core'
import { KeyTurns } from '../../flow/key-turns.ts'
import type { OwnerQueries } from '../../partitioned/queries/owner-queries.ts'
import { isRegistered } from '../../partitioned/queries/registration.ts'
import type { WritePath } from '../../runtime/write-path.ts'
import type { AskedWrite } from '../asked-write.ts'
import type { AskedMap } from '../asked-map.ts'
import { coveredWithin, covers, notCovered } from '../covering.ts'
import { MapFeeds } from '../following/map-feeds.ts'
import type { Grant } from '../grants.ts'
import { GUEST_REPLY_MAX_BYTES, GUEST_REQUEST_MAX_MS } from '../guest-limits.ts'
import type { PassContent } from '../pass-text.ts'
import { decodeMapRequest } from './map-request.ts'
import type { MapQuestion, MapRequest } from './map-request.ts'
import { ServedMap } from './served-map.ts'
import type { WriteJudge } from './served-map.ts'

export interface ServedMapsDeps {
  readonly writes: WritePath
  readonly valueSizeMaxBytes: number
  readonly loadQueries: () => Promise<OwnerQueries>
  /** Keys that places of guests are sealed with, the current one first. */
  readonly cursorKeys: readonly CryptoKey[]
  /** Undefined where the application allows all that passes cover. */
  readonly isAuthorized: ((pass: PassContent, asked: AskedWrite) => Promise<boolean>) | undefined
  /** Writes of guests since opening. */
  readonly counts: { taken: number; refused: number }
}

/** The answer to a request. */
export interface Served {
  /** '' if it was granted. */
  readonly code: GridErrorCode | ''
  readonly text: string
  readonly reply: Uint8Array | undefined
  /** Whether a guest with these grants may see the reply. */
  isCovered(grants: readonly Grant[]): boolean
}

/** The partitioned maps that this member reads and writes for guests. */
export class ServedMaps {
  /** What guests follow of them. */
  readonly feeds: MapFeeds
  readonly #deps: ServedMapsDeps
  readonly #maps = new Map<string, ServedMap>()
  /** Walks and queries of one subject run one after another, and so do those that live queries begin with. */
  readonly #turns = new KeyTurns()

  constructor(deps: ServedMapsDeps) {
    this.#deps = deps
    const { cursorKeys: keys, writes } = deps
    const map = (asked: AskedMap, timeoutMs: number): Promise<ServedMap> => this.#mapOf(asked, timeoutMs)
    this.feeds = new MapFeeds({ pump: writes.pump, keys, turns: this.#turns, map })
  }

  /**
   * Answers a request. `pass` gives the pass of the guest as it is now, and throws if it is not valid any more: it is called before anything is read and before
   * anything is written. Rejects with `MESSAGE_MALFORMED` for what no honest guest sends, with `CLOSED`, and with what `pass` throws.
   */
  async serve(bytes: Uint8Array, pass: () => PassContent): Promise<Served> {
    const request = decodeMapRequest(bytes)
    const isWrite = request.op === 'write'
    try {
      const seen = seenBy(request, pass().grants)
      const reply = encodeValue(await this.#answer(request, seen, pass), GUEST_REPLY_MAX_BYTES)
      if (isWrite) this.#deps.counts.taken += 1
      const { map } = request
      const isCovered = (grants: readonly Grant[]): boolean => seen.every((text) => covers(grants, 'read', map, text))
      return { code: '', text: '', reply, isCovered }
    } catch (error) {
      if (!(error instanceof GridError) || ENDING.has(error.code)) throw error
      if (isWrite) this.#deps.counts.refused += 1
      return refusal(error)
    }
  }

  async #answer(request: MapRequest, seen: readonly string[], pass: () => PassContent): Promise<object> {
    const timeoutMs = Math.min(GUEST_REQUEST_MAX_MS, Math.max(1, request.timeoutMs))
    const map = await this.#mapOf(request, timeoutMs)
    // It may have waited for others.
    pass()
    switch (request.op) {
      case 'read':
        return map.read(request, timeoutMs)
      case 'write':
        return map.write(request, this.#judge(request, pass), timeoutMs)
      case 'walk':
        return this.#inTurn(pass, () => map.walk(request, seen, timeoutMs))
      case 'query':
        return this.#inTurn(pass, () => map.query(request.asked, seen, timeoutMs))
      case 'groups':
        return this.#inTurn(pass, () => map.groups(request.asked, seen, timeoutMs))
    }
  }

  #inTurn<Reply>(pass: () => PassContent, work: () => Promise<Reply>): Promise<Reply> {
    return this.#turns.take(pass().subject, async () => {
      pass()
      return work()
    })
  }

  #judge({ key, map }: MapRequest & { readonly op: 'write' }, pass: () => PassContent): WriteJudge {
    const { isAuthorized } = this.#deps
    return {
      subject: pass().subject,
      asks: isAuthorized !== undefined,
      judge: async (value, previous) => {
        if (isAuthorized === undefined) return
        if (!(await isAuthorized(pass(), { map, key, field: undefined, value, previous }))) throw notCovered(map)
      },
      check: () => {
        if (!covers(pass().grants, 'write', map, key)) throw notCovered(map)
      },
    }
  }

  /** Rejects with `OWNERS_UNREACHABLE` for one that no member has opened, with `COLLECTION_MISMATCH` for another one of that name. */
  async #mapOf(asked: AskedMap, timeoutMs: number): Promise<ServedMap> {
    const { pump } = this.#deps.writes
    pump.checkOpen()
    const { collections, partitions } = pump.peer
    const collection = collections.dropped.current(asked.map)
    if (partitions.registered(collection) === undefined) {
      if (collections.get(collection, asked.kind) !== undefined) throw mismatch(asked)
      const name = { collection, kind: asked.kind, partition: partitionNumber(asked.partitions, 0) }
      await isRegistered(pump, name, { timeoutMs })
    }
    const descriptor = partitions.registered(collection)
    if (descriptor === undefined)
      throw new GridError('OWNERS_UNREACHABLE', `no member knows a partitioned map '${asked.map}': open it at one`)
    const isSame =
      kindCode(descriptor) === asked.kind &&
      descriptor.partitions === asked.partitions &&
      descriptor.owners === asked.owners
    if (!isSame) throw mismatch(asked)
    const known = this.#maps.get(collection)
    if (known?.descriptor.partitions === descriptor.partitions && known.descriptor.kind === descriptor.kind)
      return known
    // Of maps that were dropped.
    for (const name of this.#maps.keys()) if (partitions.registered(name) === undefined) this.#maps.delete(name)
    const { loadQueries, valueSizeMaxBytes, writes } = this.#deps
    const map = new ServedMap({ writes, descriptor, title: asked.map, valueSizeMaxBytes, loadQueries })
    this.#maps.set(collection, map)
    return map
  }
}

/** These end the connection. */
const ENDING: ReadonlySet<GridErrorCode> = new Set(['MESSAGE_MALFORMED', 'PASS_INVALID', 'CLOSED'])

/** The keys that a reply is about, or what all keys begin with that it is about. Throws `FORBIDDEN` before anything is read. */
function seenBy(request: MapRequest & MapQuestion, grants: readonly Grant[]): readonly string[] {
  const { map } = request
  if (request.op === 'write') {
    if (!covers(grants, 'write', map, request.key)) throw notCovered(map)
    return []
  }
  if (request.op === 'read') {
    if (!request.keys.every((key) => covers(grants, 'read', map, key))) throw notCovered(map)
    return request.keys
  }
  const prefixes = coveredWithin(grants, map, request.op === 'walk' ? request.prefix : '')
  if (prefixes.length === 0) throw notCovered(map)
  return prefixes
}

function mismatch({ map }: AskedMap): GridError {
  return new GridError('COLLECTION_MISMATCH', `members have opened '${map}' with other options`)
}

function refusal({ code, message }: GridError): Served {
  return { code, text: message, reply: undefined, isCovered: () => true }
}
