import {
  GUESTS,
  GridError,
  VALUE_MAX_BYTES,
  decodeValue,
  entryKeyOf,
  hlcFromWall,
  isSwept,
  payloadOf,
  rulesOf,
  scanStored,
  splitKey,
  writtenBy,
} from '@gossipgrid/core'
import type { Partition } from '@gossipgrid/core'
import { checkKey } from '../../batches/checks.ts'
import type { RowWrite } from '../../runtime/row-write.ts'
import type { WritePath } from '../../runtime/write-path.ts'
import type { AskedWrite } from '../asked-write.ts'
import { DOCUMENT_ROWS, calledSo, covers } from '../covering.ts'
import { EarlierEdits } from '../documents/document-edits.ts'
import type { TakenEdits } from './taken-edits.ts'
import { MAP_KINDS, grantKeyOf, isGuestKind, isSlotted, openMap } from '../map-kinds.ts'
import type { GuestWrite } from '../messages.ts'
import { GUEST_AHEAD_MAX_MS, GUEST_REMEMBERED_MS } from '../guest-limits.ts'
import type { PassContent } from '../pass-text.ts'
import { askedWrite, checkSlot, replacedAdds, slotRow } from '../slots/slot-writes.ts'
import { isAuthorized } from './authorization.ts'
import type { Authorization } from './authorization.ts'
import { mapPartition } from './guest-reads.ts'
import type { SubjectTotals } from './subject-totals.ts'
import { TakenWrites, forgottenRows } from './taken-writes.ts'
import type { Answer } from './taken-writes.ts'

/** Guests that are forgotten at a time. */
const FORGOTTEN_MAX = 500
/** How often totals are counted before writes that need them. */
const COUNTS_MAX = 3

export interface GuestWritesDeps extends Authorization {
  readonly writes: WritePath
  readonly valueSizeMaxBytes: number
  readonly totals: SubjectTotals
  readonly edits: TakenEdits
}

/** What became of a write. Without a code, it was taken. */
export interface Verdict extends Answer {
  readonly write: GuestWrite
}

interface Judged extends Verdict {
  /** It was answered before. */
  readonly isKnown: boolean
}

/** Takes the writes of guests: checks each, and issues those that are allowed under this peer's own dots. */
export class GuestWrites {
  readonly #deps: GuestWritesDeps
  /** Writes since opening. */
  readonly counts = { taken: 0, refused: 0 }

  constructor(deps: GuestWritesDeps) {
    this.#deps = deps
  }

  /**
   * Takes writes in order. What is taken is applied together with the number of the last one, in one piece, so that none is taken twice.
   * Resolves when they are applied; they may not be durable yet. Rejects with `MESSAGE_MALFORMED` for what no honest guest sends, and with what
   * `check` throws, which is called just before they are applied.
   */
  async take(
    pass: PassContent,
    guest: string,
    writes: readonly GuestWrite[],
    check: () => void = () => undefined,
  ): Promise<Verdict[]> {
    const { pump } = this.#deps.writes
    const before = TakenWrites.read(this.#guests, guest, pass.subject)
    const judged: Judged[] = []
    const earlier = new EarlierEdits()
    let lacking: GridError | undefined
    for (const asked of writes) {
      const write = vouched(asked, pass)
      const known = before.verdict(write, pump.wallMs)
      const answer = known ?? (await this.#judge(pass, guest, write, earlier))
      if (answer instanceof GridError) {
        // What comes before it is taken.
        lacking = answer
        break
      }
      if (answer.code !== '') earlier.refuse(write, answer)
      judged.push({ write, isKnown: known !== undefined, ...answer })
    }
    const isTaken = ({ code, isKnown }: Judged): boolean => code === '' && !isKnown
    const rows = judged.filter(isTaken).map(({ write }) => this.#row(write))
    if (rows.length > 0) await this.#count(pass)
    await this.#room([...rows, before.row(this.#guests)])
    check()
    const verdicts = this.#apply(pass, guest, judged)
    if (lacking !== undefined) throw lacking
    return verdicts
  }

  /** Forgets the last writes of guests that have not written for months. */
  async forget(): Promise<void> {
    const { writes } = this.#deps
    const before = hlcFromWall(writes.pump.wallMs - GUEST_REMEMBERED_MS)
    const rows = forgottenRows(this.#guests, before, FORGOTTEN_MAX)
    if (rows.length > 0) await writes.writeRows(rows)
  }

  get #guests(): Partition {
    return this.#deps.writes.pump.peer.collections.internal(GUESTS)
  }

  async #judge(
    pass: PassContent,
    guest: string,
    write: GuestWrite,
    earlier: EarlierEdits,
  ): Promise<Answer | GridError> {
    const { bytes, kind, map, rowKey } = write
    checkForm(write)
    if (map === DOCUMENT_ROWS) return this.#deps.edits.judge(pass, guest, write, earlier)
    if (!covers(pass.grants, 'write', map, grantKeyOf(kind, rowKey))) return forbidden(map)
    const sizeBytes = bytes === undefined ? 0 : payloadOf(bytes).length
    if (sizeBytes > this.#deps.valueSizeMaxBytes || (bytes?.length ?? 0) > VALUE_MAX_BYTES)
      return { code: 'VALUE_TOO_LARGE', text: `a value of ${sizeBytes} bytes` }
    try {
      if (isSlotted(kind)) await checkSlot(write)
      else checkKey(entryKeyOf(kind, rowKey))
      const partition = this.#open(write)
      if (partition.mismatch !== undefined) throw new GridError('COLLECTION_MISMATCH', partition.mismatch)
      const asked = isSlotted(kind) ? askedWrite(partition, write) : this.#askedEntry(partition, write)
      return asked === undefined || (await isAuthorized(this.#deps, pass, asked)) ? TAKEN : forbidden(map)
    } catch (error) {
      return refusalOf(error)
    }
  }

  #askedEntry(partition: Partition, write: GuestWrite): AskedWrite {
    const { kind, map, rowKey } = write
    const key = entryKeyOf(kind, rowKey)
    const field = write.kind === MAP_KINDS[0] ? undefined : splitKey(rowKey).sub
    const isObject = write.kind !== MAP_KINDS[0] && field === undefined
    const shown = (value: Uint8Array | undefined): unknown =>
      value === undefined ? undefined : isObject ? {} : decodeValue(value)
    const { replica } = partition
    const slot = replica.table.slotOf(rowKey)
    const before = slot === undefined ? undefined : replica.read(slot, this.#deps.writes.pump.wallMs)
    const isGone = write.bytes === undefined || isSwept(write.bytes, 0, write.bytes.length)
    return { map, key, field, value: isGone ? undefined : shown(payloadOf(write.bytes!)), previous: shown(before) }
  }

  #open({ kind, map }: GuestWrite): Partition {
    const { peer } = this.#deps.writes.pump
    const here = mapPartition(peer.collections, map)
    if (here?.name.kind === kind) return here
    return openMap(peer, map, kind)
  }

  /** Dated by the guest. A date that is too far in the future becomes now. */
  #row(write: GuestWrite): RowWrite {
    const { bytes, hlc, rowKey } = write
    const isAhead = hlc > hlcFromWall(this.#deps.writes.pump.wallMs + GUEST_AHEAD_MAX_MS)
    return { partition: this.#open(write), key: rowKey, bytes, ...(isAhead ? {} : { dateHlc: hlc }) }
  }

  /** What is not known after some tries, as too many other totals are asked for, is counted when the writes are applied. */
  async #count({ grants }: PassContent): Promise<void> {
    const { totals } = this.#deps
    for (let tries = 0; tries < COUNTS_MAX && !totals.knows(grants); tries++) await totals.count(grants)
  }

  async #room(rows: readonly RowWrite[]): Promise<void> {
    const { pump, room } = this.#deps.writes
    for (;;) {
      pump.checkOpen()
      try {
        room.checkAll(rows)
        return
      } catch (error) {
        if (!(error instanceof GridError) || error.code !== 'BACKLOG_FULL') throw error
        await this.#deps.writes.roomChange()
      }
    }
  }

  /**
   * Without a pause, so that what members have taken and what is there is as it is now. Not by the path of own writes: maps check these rows against
   * their schemas as they do those of other peers.
   */
  #apply(pass: PassContent, guest: string, judged: readonly Judged[]): Verdict[] {
    const { pump } = this.#deps.writes
    const { peer } = pump
    const taken = TakenWrites.read(this.#guests, guest, pass.subject)
    const verdicts: Verdict[] = []
    const edits = new EarlierEdits()
    pump.undisturbed(() =>
      peer.atomically(() => {
        for (const { isKnown, write, ...answer } of judged) {
          // What was known is not judged, and is not written in any case.
          const known = isKnown ? answer : taken.verdict(write, pump.wallMs)
          const verdict = known ?? (answer.code === '' ? this.#write(pass, write, edits) : answer)
          if (verdict.code !== '') edits.refuse(write, verdict)
          verdicts.push({ write, ...verdict })
          if (known !== undefined) continue
          taken.add(write.number, verdict.code)
          this.counts[verdict.code === '' ? 'taken' : 'refused'] += 1
        }
        if (!taken.isChanged) return
        const { bytes, key, partition } = taken.row(this.#guests)
        peer.write(partition, key, bytes, pump.now())
      }),
    )
    pump.listenerCalls.run()
    pump.tickSoon()
    return verdicts
  }

  #write(pass: PassContent, write: GuestWrite, edits: EarlierEdits): Answer {
    const { pump } = this.#deps.writes
    const refused = edits.refused(write)
    if (refused !== undefined) return refused
    let row: RowWrite | undefined
    try {
      row = isSlotted(write.kind) ? slotRow(this.#open(write), write, pump.wallMs) : this.#row(write)
    } catch (error) {
      return refusalOf(error)
    }
    if (row === undefined) return TAKEN
    const { bytes, dateHlc, key, partition } = row
    const text = this.#deps.totals.refusal(pass.grants, partition, key, bytes)
    if (text !== undefined) return { code: 'QUOTA_EXCEEDED', text }
    pump.peer.write(partition, key, bytes, pump.now(), dateHlc)
    // What is written next here is dated later.
    if (dateHlc !== undefined) pump.peer.time.hybridClock.observe(dateHlc)
    if (isSlotted(write.kind))
      for (const replaced of replacedAdds(partition, write)) pump.peer.write(partition, replaced, undefined, pump.now())
    return TAKEN
  }
}

const TAKEN: Answer = { code: '', text: '' }

/** A write to a map with the subject of the pass in it, whatever the guest says of that. */
function vouched(write: GuestWrite, { subject }: PassContent): GuestWrite {
  return MAP_KINDS.includes(write.kind) ? { ...write, bytes: writtenBy(subject, write.bytes) } : write
}

/** The answer to a write that an error refuses. Throws `MESSAGE_MALFORMED`, and what is no error of the grid. */
function refusalOf(error: unknown): Answer {
  if (!(error instanceof GridError) || error.code === 'MESSAGE_MALFORMED') throw error
  return { code: error.code, text: error.message }
}

/** The same for what there is not and for what a pass does not cover. */
function forbidden(map: string): Answer {
  return { code: 'FORBIDDEN', text: `the pass does not allow this write to '${calledSo(map).name}'` }
}

/** Throws `MESSAGE_MALFORMED` for what no honest guest sends. */
function checkForm({ bytes, hlc, kind, map, rowKey }: GuestWrite): void {
  if (!isGuestKind(map, kind)) throw new GridError('MESSAGE_MALFORMED', `a write to a collection of kind ${kind}`)
  if (bytes !== undefined) scanStored(bytes, 0, bytes.length)
  const row = { key: rowKey, hlc, writer: 0, sequence: 1, replaced: 0, bytes, start: 0, end: bytes?.length ?? 0 }
  rulesOf(kind)?.checkRow?.(row, '')
}
