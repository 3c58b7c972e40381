import { decodeValue, entryKeyOf, isSwept, payloadOf, subjectOf, wallFromHlc } from '@gossipgrid/core'
import { covers, coveredWithin } from '../../../../packages/grid/src/guests/covering.ts'
import type { Grant } from '../../../../packages/grid/src/guests/grants.ts'
import { GUEST_REQUEST_OLD_MAX_MS } from '../../../../packages/grid/src/guests/guest-limits.ts'
import type { GuestMessage, MemberMessage } from '../../../../packages/grid/src/guests/messages.ts'
import { decodeMapRequest } from '../../../../packages/grid/src/guests/partitioned/map-request.ts'
import type { MapRequest, RepliedEntry } from '../../../../packages/grid/src/guests/partitioned/map-request.ts'
import type { SimulatedGuest } from '../simulated-guest.ts'
import type { SimulatedMember } from '../simulated-member.ts'
import { writtenText } from '../written-values.ts'
import { ORDERS } from './orders.ts'

/** A value that was written to an order, which no other write gives. */
export interface OrderWrite {
  /** Undefined for a member. */
  readonly guest: number | undefined
  readonly key: string
  readonly text: string
  /** Its date, as it was sent, or as a member has it. */
  hlc: number | undefined
  /** A member has answered that it is taken. */
  isTaken: boolean
  /** A member had it while the guest was yet to be answered. */
  isApplied: boolean
  /** A pass that covers it was valid when it came to a member, or before that one had answered. */
  isAllowed: boolean
  /** How often it has come to a member that has not said what became of it. */
  unanswered: number
}

/** One row of the map at a member, in a copy of a partition or among the hints. */
export interface OrderRow {
  readonly key: string
  readonly hlc: number
  /** Undefined for a tombstone. */
  readonly text: string | undefined
  /** By what members vouch for. */
  readonly subject: string | undefined
}

interface Asked {
  readonly request: MapRequest
  readonly write: OrderWrite | undefined
  /** The passes that were accepted on the connection before it came. */
  readonly passes: number
}

/** What is said about the map on one connection. `pass` is undefined for one that is not valid at the member. */
export interface OrderWitness {
  sent(message: GuestMessage): void
  arrived(message: GuestMessage, pass: { readonly grants: readonly Grant[] } | undefined): void
  /** The member has accepted another pass. */
  accepted(grants: readonly Grant[]): void
  replied(message: Extract<MemberMessage, { type: 'reply' }>, grants: readonly Grant[]): void
}

const REFUSALS: ReadonlySet<string> = new Set(['FORBIDDEN', 'QUOTA_EXCEEDED', 'COLLECTION_MISMATCH', 'INVALID_VALUE'])

/** What a guest must not learn of a partitioned map, and what must not happen to its writes. */
export class OrderOracle {
  readonly #members: readonly SimulatedMember[]
  readonly #guests: readonly SimulatedGuest[]
  readonly #violated: (violation: string) => void
  readonly #writes = new Map<string, OrderWrite>()
  /** Keys that were deleted, or may have been. */
  readonly #deleted = new Set<string>()
  replies = 0
  refused = 0

  constructor(
    members: readonly SimulatedMember[],
    guests: readonly SimulatedGuest[],
    violated: (violation: string) => void,
  ) {
    this.#members = members
    this.#guests = guests
    this.#violated = violated
  }

  /** A guest or a member gives a key a value. */
  wrote(guest: number | undefined, key: string, text: string): OrderWrite {
    const became = { hlc: undefined, isTaken: false, isApplied: false, isAllowed: guest === undefined, unanswered: 0 }
    const write: OrderWrite = { guest, key, text, ...became }
    this.#writes.set(text, write)
    return write
  }

  /** A member deletes a key, or a guest that may. */
  deletes(key: string): void {
    this.#deleted.add(key)
  }

  witness({ peerId }: SimulatedGuest): OrderWitness {
    const asked = new Map<number, Asked>()
    const allow = ({ request, write }: Asked, grants: readonly Grant[]): void => {
      if (request.op !== 'write' || !covers(grants, 'write', ORDERS, request.key)) return
      if (write === undefined) this.deletes(request.key)
      else write.isAllowed = true
    }
    const accepted: (readonly Grant[])[] = []
    return {
      sent: (message) => {
        if (message.type !== 'ask') return
        const request = decodeMapRequest(message.request)
        const write = this.#writeOf(request)
        if (request.op !== 'write' || write === undefined) return
        write.hlc ??= request.dateHlc
        if (write.hlc !== request.dateHlc)
          this.#violated(
            `${peerId} sends '${write.text}' with the date ${request.dateHlc}, and before with ${write.hlc}`,
          )
      },
      arrived: (message, pass) => {
        if (message.type !== 'ask') return
        const request = decodeMapRequest(message.request)
        const write = this.#writeOf(request)
        if (write !== undefined) write.unanswered += 1
        const one = { request, write, passes: accepted.length }
        asked.set(message.number, one)
        if (pass !== undefined) allow(one, pass.grants)
      },
      accepted: (grants) => {
        accepted.push(grants)
        for (const one of asked.values()) allow(one, grants)
      },
      replied: ({ code, hlc, number, reply, text }, grants) => {
        const { passes, request, write } = asked.get(number)!
        asked.delete(number)
        this.replies += 1
        if (code === '') {
          if (write !== undefined) write.isTaken = true
          this.checkReply(peerId, request, reply!, grants)
        }
        if (write !== undefined && (code === '' || REFUSALS.has(code))) write.unanswered -= 1
        if (!REFUSALS.has(code)) return
        this.refused += 1
        const isBad = write?.text.startsWith('bad') === true
        const isOld = code === 'QUOTA_EXCEEDED' && isLongAgo(request, hlc)
        if (!isBad && !isOld && mayAsk(request, accepted.slice(Math.max(0, passes - 1))))
          this.#violated(`${peerId} is refused a ${request.op} that its pass covers: ${code} ${text}`)
      },
    }
  }

  /** Looks at what all members have now. */
  check(): void {
    for (const member of this.#members) for (const row of rowsAt(member)) this.#checkRow(member.peerId, row)
  }

  /** What was taken and is not there in the end. */
  lost(): string | undefined {
    const latest = new Map<string, OrderRow>()
    for (const member of this.#members)
      for (const row of rowsAt(member)) if (!(row.hlc <= (latest.get(row.key)?.hlc ?? -1))) latest.set(row.key, row)
    for (const { hlc, isTaken, key, text } of this.#writes.values()) {
      if (!isTaken || hlc === undefined) continue
      const row = latest.get(key)
      const what = `'${text}' was written to '${key}' of '${ORDERS}', and is lost`
      // What was deleted later may be purged.
      if (row === undefined && !this.#deleted.has(key)) return what
      // Of two writes with one date, the one of the larger replica id wins.
      if (row !== undefined && row.hlc < hlc) return `${what}: there is ${row.text}`
    }
    return undefined
  }

  /** Keys to which anything was written. */
  keys(): string[] {
    return [...new Set([...this.#writes.values()].map(({ key }) => key))].toSorted()
  }

  #checkRow(peerId: string, { hlc, key, subject, text }: OrderRow): void {
    if (text === undefined) return
    const write = this.#writes.get(text)
    const where = `'${text}' is in '${key}' of '${ORDERS}' at ${peerId}`
    if (write === undefined) return this.#violated(`${where}, which no peer has written`)
    write.hlc ??= hlc
    if (write.unanswered > 0) write.isApplied = true
    if (write.key !== key) this.#violated(`${where}, and was written to '${write.key}'`)
    if (text.startsWith('bad')) this.#violated(`${where}, which members refuse`)
    if (write.hlc !== hlc) this.#violated(`${where} and was taken twice: it is dated ${hlc}, and was ${write.hlc}`)
    const expected = write.guest === undefined ? undefined : this.#guests[write.guest]!.subject
    if (subject !== expected) this.#violated(`${where}, and says that ${subject} wrote it, not ${expected}`)
    if (!write.isAllowed) this.#violated(`${where}, and no pass covered that`)
    if (write.guest !== undefined && !write.isTaken && !write.isApplied)
      this.#violated(`${where}, and its guest was answered that it is refused`)
  }

  #writeOf(request: MapRequest): OrderWrite | undefined {
    if (request.op !== 'write' || request.bytes === undefined) return undefined
    return this.#writes.get(writtenText(decodeValue(request.bytes)))
  }

  /** What a guest gets is within its grants. */
  checkReply(peerId: string, request: MapRequest, bytes: Uint8Array, grants: readonly Grant[]): void {
    const reply = decodeValue(bytes)
    const isSeen = (key: string, content: Uint8Array | undefined): void => {
      if (!covers(grants, 'read', ORDERS, key))
        this.#violated(`${peerId} is sent '${key}' of '${ORDERS}', which its pass does not cover`)
      if (content === undefined) return
      const text = writtenText(decodeValue(content))
      const write = this.#writes.get(text)
      if (write?.key !== key) this.#violated(`${peerId} is sent '${text}' as '${key}', which was never written there`)
      if (text.startsWith('bad')) this.#violated(`${peerId} is sent '${text}', which members refuse`)
    }
    switch (request.op) {
      case 'read': {
        const { entries } = reply as { readonly entries: readonly RepliedEntry[] }
        for (const [place, { bytes }] of entries.entries()) isSeen(request.keys[place]!, bytes)
        break
      }
      case 'walk':
      case 'query': {
        const { rows } = reply as { readonly rows: readonly (readonly [string, Uint8Array])[] }
        for (const [key, bytes] of rows) isSeen(key, bytes)
        break
      }
      case 'groups': {
        const { rows } = reply as { readonly rows: readonly { readonly count: number }[] }
        const countMax = this.keys().filter((key) => covers(grants, 'read', ORDERS, key)).length
        for (const { count } of rows)
          if (count > countMax)
            this.#violated(`${peerId} is sent a count of ${count}, and its pass covers ${countMax} keys`)
        break
      }
      case 'write':
        if (!covers(grants, 'write', ORDERS, request.key))
          this.#violated(`${peerId} is answered that '${request.key}' is written, which its pass does not cover`)
    }
  }
}

/** The rows that a member has of the map: of its copies, and those that owners have not confirmed. */
function rowsAt({ grid }: SimulatedMember): OrderRow[] {
  if (grid === undefined) return []
  const { collections, partitions } = grid.pump.peer
  const rows: OrderRow[] = []
  for (const { replica, name } of collections.partitions()) {
    if (name.collection !== ORDERS) continue
    const { table } = replica
    for (const slot of table.slots())
      rows.push(rowOf(name.kind, table.key(slot), table.hlc(slot), table.deleted(slot) ? undefined : table.value(slot)))
  }
  for (const { name, row } of partitions.hints ?? [])
    if (name.collection === ORDERS)
      rows.push(rowOf(name.kind, row.key, row.hlc, row.bytes?.subarray(row.start, row.end)))
  return rows
}

/** A delete by a guest is a value that has expired, and no text. */
function rowOf(kind: number, rowKey: string, hlc: number, bytes: Uint8Array | undefined): OrderRow {
  const key = entryKeyOf(kind, rowKey)
  if (bytes === undefined || isSwept(bytes, 0, bytes.length)) return { key, hlc, text: undefined, subject: undefined }
  return { key, hlc, text: writtenText(decodeValue(payloadOf(bytes))), subject: subjectOf(bytes) }
}

/** Whether a write has a date that members refuse: weeks may pass while it is on its way. */
function isLongAgo(request: MapRequest, nowHlc: number): boolean {
  return request.op === 'write' && wallFromHlc(nowHlc) - wallFromHlc(request.dateHlc) >= GUEST_REQUEST_OLD_MAX_MS
}

/** Whether all these passes cover what a guest asks for. What was read of several keys is as good as refused if the pass has changed meanwhile. */
function mayAsk(request: MapRequest, passes: readonly (readonly Grant[])[]): boolean {
  if (request.op === 'write') return passes.every((grants) => covers(grants, 'write', ORDERS, request.key))
  if (request.op === 'read')
    return passes.every((grants) => request.keys.every((key) => covers(grants, 'read', ORDERS, key)))
  const prefix = request.op === 'walk' ? request.prefix : ''
  return passes.length === 1 && coveredWithin(passes[0]!, ORDERS, prefix).length > 0
}
