import { decodeValue, entryKeyOf, payloadOf, subjectOf } from '@gossipgrid/core'
import type { Partition } from '@gossipgrid/core'
import { calledSo, covers } from '../../../packages/grid/src/guests/covering.ts'
import type { Grant } from '../../../packages/grid/src/guests/grants.ts'
import { decodeGuestMessage, decodeMemberMessage } from '../../../packages/grid/src/guests/messages.ts'
import type { GuestWrite } from '../../../packages/grid/src/guests/messages.ts'
import { readPass } from '../../../packages/grid/src/guests/pass-text.ts'
import type { ReadPass } from '../../../packages/grid/src/guests/pass-text.ts'
import { Revocations } from '../../../packages/grid/src/guests/passes/revocations.ts'
import type { ChannelWitness } from './simulated-channel.ts'
import { DOCUMENT_KIND, grantKeyOf, guestNameOf, isSlotted } from '../../../packages/grid/src/guests/map-kinds.ts'
import { DocumentOracle } from './documents/document-oracle.ts'
import { GuestLedger } from './guest-ledger.ts'
import type { LedgerWrite } from './guest-ledger.ts'
import { OrderOracle } from './partitioned/order-oracle.ts'
import { GuestSlotOracle, liveRows } from './guest-slot-oracle.ts'
import type { SimulatedGuest } from './simulated-guest.ts'
import type { SimulatedMember } from './simulated-member.ts'
import { writtenText } from './written-values.ts'

export const MAPS = ['todos', 'board', 'news', 'salaries'] as const

/** Bugs are planted there: the oracle asks the original. */
const isRevoked = Revocations.prototype.has

/** What a guest must not see and what must not happen to its writes, looked at on the wire and in what everyone has. */
export class GuestOracle {
  readonly ledger: GuestLedger = new GuestLedger()
  /** Of sets and counters. */
  readonly slots: GuestSlotOracle
  readonly documents: DocumentOracle
  /** Of the partitioned map. */
  readonly orders: OrderOracle
  readonly #members: readonly SimulatedMember[]
  readonly #guests: readonly SimulatedGuest[]
  readonly #violated: (violation: string) => void
  messages = 0

  constructor(
    members: readonly SimulatedMember[],
    guests: readonly SimulatedGuest[],
    violated: (violation: string) => void,
  ) {
    this.#members = members
    this.#guests = guests
    this.#violated = violated
    this.slots = new GuestSlotOracle(violated)
    this.documents = new DocumentOracle(members, guests, violated)
    this.orders = new OrderOracle(members, guests, violated)
  }

  /** What is said between a guest and a member is within the pass that the member has accepted, which is valid there. */
  witness(guest: SimulatedGuest, member: SimulatedMember): ChannelWitness {
    const shown: ReadPass[] = []
    const accepted: ReadPass[] = []
    let pass: ReadPass | undefined
    const writes = new Map<number, GuestWrite>()
    const orders = this.orders.witness(guest)
    return {
      sent: (from, bytes) => {
        this.messages += 1
        if (from === 'guest') {
          const message = decodeGuestMessage(bytes)
          orders.sent(message)
          for (const write of message.type === 'writes' ? message.writes : [])
            if (isSlotted(write.kind)) this.slots.sent(write)
            else if (write.kind !== DOCUMENT_KIND) this.ledger.sent(guest.index, write)
          return
        }
        const message = decodeMemberMessage(bytes)
        if (message.type === 'welcome') {
          accepted.push((pass = shown.shift()!))
          orders.accepted(pass.grants)
        }
        if (message.type === 'reply') {
          this.#checkPass(guest, member, pass)
          orders.replied(message, pass?.grants ?? [])
        }
        if (message.type === 'rows') {
          this.#checkPass(guest, member, pass)
          for (const { rowKey } of message.rows)
            this.#checkSeen(guest, pass?.grants, message.map, grantKeyOf(message.kind, rowKey))
        }
        if (message.type !== 'answers') return
        this.#checkPass(guest, member, pass)
        for (const answer of message.answers) {
          const write = writes.get(answer.number)!
          if (isSlotted(write.kind)) this.slots.answers(write, answer)
          if (write.kind === DOCUMENT_KIND)
            this.documents.answers(
              guest,
              write,
              answer,
              accepted.map(({ grants }) => grants),
            )
          const known = this.ledger.answers(guest.index, answer)
          const key = grantKeyOf(write.kind, write.rowKey)
          if (answer.bytes !== undefined) this.#checkSeen(guest, pass?.grants, write.map, key)
          if (answer.code === '' || known === undefined) continue
          const isBad = known.value.startsWith('bad')
          const isCovered = accepted.every(({ grants }) => covers(grants, 'write', write.map, key))
          // One that was refused before, when the pass was another one, is refused still.
          if (!isBad && isCovered && !answer.text.includes('before'))
            this.#violated(
              `${guest.peerId} is refused '${known.value}', which it may write: ${answer.code} ${answer.text}`,
            )
        }
      },
      arrived: (from, bytes) => {
        if (from === 'guest') {
          const message = decodeGuestMessage(bytes)
          if (message.type === 'enter' || message.type === 'pass') shown.push(readPass(message.pass))
          orders.arrived(message, isValid(member, pass) ? pass : undefined)
          if (message.type === 'writes') for (const write of message.writes) writes.set(write.number, write)
          return
        }
        const message = decodeMemberMessage(bytes)
        for (const answer of message.type === 'answers' ? message.answers : []) {
          const write = writes.get(answer.number)!
          if (write.kind === DOCUMENT_KIND) this.documents.answered(guest, write, answer)
          else this.ledger.answered(guest.index, answer)
        }
      },
    }
  }

  /** Looks at what everyone has now. */
  check(): void {
    for (const member of this.#members) for (const map of MAPS) this.#checkMember(member, map)
    for (const member of this.#members) this.slots.check(member)
    this.documents.check()
    this.orders.check()
    for (const guest of this.#guests) this.#checkGuest(guest)
  }

  #checkPass(guest: SimulatedGuest, { grid, peerId, revocations }: SimulatedMember, pass: ReadPass | undefined): void {
    if (grid === undefined) return
    if (pass === undefined) this.#violated(`${peerId} serves ${guest.peerId}, which has shown no pass`)
    else if (pass.expiresAtMs + 1 < grid.pump.wallMs)
      this.#violated(`${peerId} serves ${guest.peerId}, whose pass has expired`)
    else if (isRevoked.call(revocations!, pass.id))
      this.#violated(`${peerId} serves ${guest.peerId}, whose pass is revoked`)
  }

  #checkSeen(guest: SimulatedGuest, grants: readonly Grant[] | undefined, map: string, key: string): void {
    if (!covers(grants ?? [], 'read', map, key)) this.#violated(`${guest.peerId} is sent '${key}' of '${map}'`)
  }

  #checkMember(member: SimulatedMember, map: string): void {
    const partition = member.partition(map)
    for (const { hlc, key, subject, value } of partition === undefined ? [] : rowsOf(partition)) {
      const write = this.ledger.find(value)
      this.#checkSubject(member.peerId, subject, write, value)
      if (write === undefined) continue
      const where = `'${value}' as '${key}' of '${map}' at ${member.peerId}`
      // It was applied before any member has refused it: its answer was lost.
      if (write.hlc === undefined && !write.isRefused) write.isTaken = true
      write.hlc ??= hlc
      if (write.hlc !== hlc) this.#violated(`${where} was taken twice: it is dated ${hlc}, and was ${write.hlc}`)
      if (write.map !== map || write.key !== key) this.#violated(`${where} was written as another key`)
      if (value.startsWith('bad')) this.#violated(`${where} is what members refuse`)
      if (write.isRefused && !write.isTaken)
        this.#violated(`${where} is there, and its guest was answered that it is refused`)
    }
  }

  /** Members vouch for the subject of a write that a guest made, and for none where a member made it. */
  #checkSubject(peerId: string, subject: string | undefined, write: LedgerWrite | undefined, value: string): void {
    const expected = write && this.#guests[write.guest]!.subject
    if (subject !== expected) this.#violated(`'${value}' at ${peerId} says that ${subject} wrote it, not ${expected}`)
  }

  #checkGuest(guest: SimulatedGuest): void {
    const { grid, outbox } = guest
    if (grid === undefined || outbox === undefined) return
    guest.look()
    for (const collection of grid.pump.peer.collections) {
      const [partition] = collection.partitions
      const map = partition === undefined ? undefined : guestNameOf(partition.name)
      if (partition === undefined || map === undefined) continue
      if (partition.name.kind === DOCUMENT_KIND) this.documents.checkGuest(guest, partition)
      if (isSlotted(partition.name.kind) || partition.name.kind === DOCUMENT_KIND) {
        for (const { rowKey } of liveRows(partition))
          if (
            !outbox.has(partition, rowKey) &&
            !covers(guest.grants ?? [], 'read', map, grantKeyOf(partition.name.kind, rowKey))
          )
            this.#violated(
              `${guest.peerId} has a row of ${calledSo(map).name || 'a document'}, which its pass does not cover`,
            )
        continue
      }
      for (const { key, rowKey, subject, value } of rowsOf(partition)) {
        if (outbox.has(partition, rowKey)) continue
        if (!covers(guest.grants ?? [], 'read', map, key))
          this.#violated(`${guest.peerId} has '${key}' of '${map}', which its pass does not cover`)
        const write = this.ledger.find(value)
        // Its own stay as it wrote them.
        if (write?.guest !== guest.index) this.#checkSubject(guest.peerId, subject, write, value)
        if (value.startsWith('bad') || (write?.isRefused === true && !write.isTaken))
          this.#violated(`${guest.peerId} keeps '${value}', which was refused`)
      }
    }
  }
}

/** Whether a pass is valid at a member now. */
function isValid({ grid, revocations }: SimulatedMember, pass: ReadPass | undefined): pass is ReadPass {
  if (grid === undefined || pass === undefined) return false
  return pass.expiresAtMs > grid.pump.wallMs && !isRevoked.call(revocations!, pass.id)
}

/** What is in a map, as text. */
export function rowsOf({ name, replica }: Partition): {
  readonly rowKey: string
  readonly key: string
  readonly value: string
  /** 0 for a value without fields. */
  readonly size: number
  readonly subject: string | undefined
  readonly hlc: number
}[] {
  const { table } = replica
  const slots = [...table.slots()].filter((slot) => !table.deleted(slot))
  return slots.map((slot) => {
    const rowKey = table.key(slot)
    const value = decodeValue(payloadOf(table.value(slot)!))
    return {
      rowKey,
      key: entryKeyOf(name.kind, rowKey),
      value: writtenText(value),
      size: (value as { readonly size?: number } | null)?.size ?? 0,
      subject: subjectOf(table.value(slot)!),
      hlc: table.hlc(slot),
    }
  })
}
