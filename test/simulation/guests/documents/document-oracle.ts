import { DOCUMENTS, entryKeyOf } from '@gossipgrid/core'
import type { Partition } from '@gossipgrid/core'
import type { Grid } from '../../../../packages/grid/src/grid.ts'
import { covers, coversDoc } from '../../../../packages/grid/src/guests/covering.ts'
import type { Grant } from '../../../../packages/grid/src/guests/grants.ts'
import { DOCUMENT_KIND } from '../../../../packages/grid/src/guests/map-kinds.ts'
import type { GuestWrite, WriteAnswer } from '../../../../packages/grid/src/guests/messages.ts'
import type { SimulatedGuest } from '../simulated-guest.ts'
import type { SimulatedMember } from '../simulated-member.ts'

/** A text that was typed into a document, which no other edit has. */
export interface Typed {
  /** Undefined for a member. */
  readonly guest: number | undefined
  readonly name: string
  readonly text: string
  /** Its author has it on its disk. */
  isStored: boolean
  /** A member has answered that it is taken, or has it. */
  isTaken: boolean
  /** The guest has got the answer that it is refused. */
  isRefused: boolean
  /** Anyone may have deleted it. */
  isDeleted: boolean
}

interface DocumentRow {
  readonly rowKey: string
  /** Of its document. */
  readonly name: string
  readonly bytes: Uint8Array
}

/** Texts of all edits. Those that members refuse begin with `bad`. */
const TEXTS = /\[[a-z0-9 #]+\]/g
const BAD = '[bad'
/** What a hostile guest makes of the texts of others. */
export const FORGED = '[x'

/** What must not happen to documents, looked at on the wire and in what everyone has. */
export class DocumentOracle {
  readonly #members: readonly SimulatedMember[]
  readonly #guests: readonly SimulatedGuest[]
  readonly #violated: (violation: string) => void
  readonly #typed = new Map<string, Typed>()
  /** Documents of which a guest was answered that an edit is refused for a reason of its own: those that build on it are, too. */
  readonly #refusing = new Set<string>()
  /** And of which it has got any refusal: what it had not sent ends with it. */
  readonly #refused = new Set<string>()
  taken = 0
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

  typed(guest: number | undefined, name: string, text: string): Typed {
    const became = { isStored: false, isTaken: false, isRefused: false, isDeleted: false }
    const typed: Typed = { guest, name, text, ...became }
    this.#typed.set(text, typed)
    return typed
  }

  /** Anyone deletes a text, or tries to. */
  deletes(text: string): void {
    const typed = this.#typed.get(text)
    if (typed !== undefined) typed.isDeleted = true
  }

  /** A member answers. `accepted` are the grants of all passes that it has accepted on this connection. */
  answers(
    { index, peerId }: SimulatedGuest,
    { bytes, kind, map, rowKey }: GuestWrite,
    { code, text }: WriteAnswer,
    accepted: readonly (readonly Grant[])[],
  ): void {
    const texts = textsOf(bytes)
    if (code === '') {
      this.taken += 1
      for (const each of texts) this.#take(each)
      return
    }
    this.refused += 1
    const name = entryKeyOf(kind, rowKey)
    const document = `${index} ${name}`
    const isCovered = accepted.every((grants) => covers(grants, 'write', map, name))
    if (texts.some((each) => each.startsWith(BAD)) || !isCovered) this.#refusing.add(document)
    else if (!this.#refusing.has(document) && !text.includes('before'))
      this.#violated(`${peerId} is refused an edit of '${name}' that it may make, ${texts.join()}: ${code} ${text}`)
  }

  /** An answer has arrived at the guest. */
  answered({ index }: SimulatedGuest, { bytes, kind, rowKey }: GuestWrite, { code }: WriteAnswer): void {
    if (code === '') return
    this.#refused.add(`${index} ${entryKeyOf(kind, rowKey)}`)
    for (const each of textsOf(bytes)) {
      const typed = this.#typed.get(each)
      if (typed !== undefined) typed.isRefused = true
    }
  }

  /** Looks at what members have now. */
  check(): void {
    for (const { grid, peerId } of this.#members)
      for (const { bytes, name } of grid === undefined ? [] : documentRows(grid))
        for (const text of textsOf(bytes)) {
          const typed = this.#typed.get(text)
          const where = `${peerId} has '${text}' in '${name}'`
          if (text.startsWith(BAD)) this.#violated(`${where}, which members refuse`)
          else if (text.startsWith(FORGED)) this.#violated(`${where}, which no peer has typed`)
          else if (typed === undefined) continue
          else if (typed.name !== name) this.#violated(`${where}, and it was typed into '${typed.name}'`)
          // What a member typed may be lost with it until it is stored there.
          else if (typed.guest === undefined) continue
          else if (!typed.isRefused) typed.isTaken = true
          else if (!typed.isTaken) this.#violated(`${where}, and its guest was answered that it is refused`)
        }
  }

  /** And at what a guest has, but for what waits for its answer. */
  checkGuest({ outbox, peerId }: SimulatedGuest, partition: Partition): void {
    for (const { bytes, name, rowKey } of rowsIn(partition)) {
      const isKept = (text: string): boolean => {
        const typed = this.#typed.get(text)
        return text.startsWith(BAD) || (typed?.isRefused === true && !typed.isTaken)
      }
      const kept = outbox!.has(partition, rowKey) ? undefined : textsOf(bytes).find(isKept)
      if (kept !== undefined) this.#violated(`${peerId} keeps '${kept}' in '${name}', which was refused`)
    }
  }

  /** What is not yet as it must be in the end. */
  async unsettled(grantsOf: (subject: string) => readonly Grant[]): Promise<string | undefined> {
    const [first, ...others] = this.#members.map(({ grid }) => grid!)
    const all = shown(first!, () => true)
    for (const other of others) if (shown(other, () => true) !== all) return 'members have other rows of documents'
    for (const { grid, peerId, subject } of this.#guests) {
      const isRead = (name: string): boolean => coversDoc(grantsOf(subject), 'read', name)
      const [here, there] = [shown(grid!, () => true), shown(first!, isRead)]
      if (here !== there) return `${peerId} has ${firstDifference(here, there)} of documents, unlike members`
    }
    const names = new Set(documentRows(first!).map(({ name }) => name))
    for (const name of names) {
      const text = await textOf(first!, name)
      const problem = this.#lost(name, text) ?? (await this.#differs(name, text, grantsOf))
      if (problem !== undefined) return problem
    }
    for (const typed of this.#typed.values())
      if (this.#mustBe(typed) && !names.has(typed.name)) return `'${typed.name}' with '${typed.text}' is lost`
    return undefined
  }

  #take(text: string): void {
    const typed = this.#typed.get(text)
    if (typed !== undefined) typed.isTaken = true
  }

  #mustBe({ guest, isDeleted, isStored, isTaken, name, text }: Typed): boolean {
    if (isDeleted || text.startsWith(BAD)) return false
    return isTaken || (isStored && !this.#refused.has(`${guest} ${name}`))
  }

  #lost(name: string, text: string): string | undefined {
    if (text.includes(BAD)) return `'${name}' has what members refuse: ${text}`
    for (const typed of this.#typed.values())
      if (typed.name === name && this.#mustBe(typed) && !text.includes(typed.text))
        return `'${typed.text}' was ${typed.isTaken ? 'taken' : 'typed'} into '${name}', and is lost: ${text}`
    return undefined
  }

  /** All that may read it show the same. */
  async #differs(
    name: string,
    text: string,
    grantsOf: (subject: string) => readonly Grant[],
  ): Promise<string | undefined> {
    const guests = this.#guests.filter(({ subject }) => coversDoc(grantsOf(subject), 'read', name))
    for (const { grid, peerId } of [...this.#members, ...guests]) {
      const found = await textOf(grid!, name)
      if (found !== text) return `${peerId} shows '${found}' in '${name}', and a member '${text}'`
    }
    return undefined
  }
}

/** The texts of edits in a row. */
function textsOf(bytes: Uint8Array | undefined): readonly string[] {
  return bytes === undefined ? [] : (Buffer.from(bytes).toString('latin1').match(TEXTS) ?? [])
}

/** The texts that a document shows, in order. */
export function shownTexts(text: string): readonly string[] {
  return text.match(TEXTS) ?? []
}

/** The rows of documents that are there. */
function documentRows(grid: Grid): DocumentRow[] {
  return rowsIn(grid.pump.peer.collections.internal(DOCUMENTS))
}

function rowsIn({ replica: { table } }: Partition): DocumentRow[] {
  const slots = [...table.slots()].filter((slot) => !table.deleted(slot))
  return slots.map((slot) => {
    const rowKey = table.key(slot)
    return { rowKey, name: entryKeyOf(DOCUMENT_KIND, rowKey), bytes: table.value(slot)! }
  })
}

async function textOf(grid: Grid, name: string): Promise<string> {
  const document = await grid.doc(name)
  const text = document.y.getText('body').toJSON()
  await document.close()
  return text
}

function shown(grid: Grid, isWanted: (name: string) => boolean): string {
  const rows = [...documentRows(grid)].filter(({ name }) => isWanted(name))
  return rows
    .map(({ bytes, rowKey }) => `${rowKey}=${Buffer.from(bytes).toString('hex')}`)
    .toSorted()
    .join()
}

/** A row that only one of two has. */
function firstDifference(here: string, there: string): string {
  const [mine, theirs] = [new Set(here.split(',')), new Set(there.split(','))]
  const [extra] = [...mine].filter((row) => !theirs.has(row))
  const [missing] = [...theirs].filter((row) => !mine.has(row))
  return `the row ${extra} in place of ${missing}`
}
