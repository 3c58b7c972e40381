import { deletedRow, entryKeyOf, readShare } from '@gossipgrid/core'
import type { Partition, Share } from '@gossipgrid/core'
import { counterName, setName } from '../../../packages/grid/src/guests/covering.ts'
import { isCounting } from '../../../packages/grid/src/guests/map-kinds.ts'
import type { GuestWrite, WriteAnswer } from '../../../packages/grid/src/guests/messages.ts'
import type { SimulatedMember } from './simulated-member.ts'

/** The sets and counters of a simulation, as guests and members call them. */
export const SLOTTED: readonly string[] = [
  counterName('visits'),
  counterName('votes'),
  setName('tags'),
  setName('labels'),
]

/** What a hostile guest counts: more than all others together. */
export const FORGED_COUNT = 1_000_000

/** What became of a total that a guest has sent. */
interface Total {
  /** A member has answered that it is taken. */
  isTaken: boolean
  /** A member had it before any had refused it: its answer may be lost, and it too if that member crashed. */
  isApplied: boolean
  isRefused: boolean
}

/** What must not happen to the rows of sets and counters that guests write. */
export class GuestSlotOracle {
  readonly #violated: (violation: string) => void
  /** By row, the totals that were sent of it. */
  readonly #totals = new Map<string, Map<string, Total>>()
  /** By row, the latest date of a remove that was taken. */
  readonly #removed = new Map<string, number>()
  readonly #added = new Set<string>()
  /** Elements that members have added, with the names of their sets. */
  readonly #addedByMembers = new Set<string>()
  /** Keys and elements of which anything was ever deleted. */
  readonly #deleted = new Set<string>()
  taken = 0
  refused = 0

  constructor(violated: (violation: string) => void) {
    this.#violated = violated
  }

  /** A member or a guest deletes a counter, or removes an element. */
  deletes(map: string, key: string): void {
    this.#deleted.add(`${map} ${key}`)
  }

  /** A member has added an element, and it is stored. */
  memberAdded(map: string, element: string): void {
    this.#addedByMembers.add(`${map} ${element}`)
  }

  sent({ bytes, kind, map, rowKey }: GuestWrite): void {
    if (!isCounting(kind) || bytes === undefined || deletedRow(rowKey) !== undefined) return
    const row = `${map} ${rowKey}`
    const totals = this.#totals.get(row) ?? new Map<string, Total>()
    this.#totals.set(row, totals)
    const text = textOf(bytes)
    if (!totals.has(text)) totals.set(text, { isTaken: false, isApplied: false, isRefused: false })
  }

  /** A member answers. */
  answers({ bytes, hlc, kind, map, rowKey }: GuestWrite, { code }: WriteAnswer): void {
    const row = `${map} ${rowKey}`
    if (code === '') this.taken += 1
    else this.refused += 1
    if (isCounting(kind)) {
      const total = bytes === undefined ? undefined : this.#totals.get(row)?.get(textOf(bytes))
      if (total !== undefined && code === '') total.isTaken = true
      else if (total !== undefined) total.isRefused = true
    } else if (code === '' && bytes === undefined) this.#removed.set(row, Math.max(hlc, this.#removed.get(row) ?? 0))
    else if (code === '') this.#added.add(row)
  }

  /** Looks at what a member has now. */
  check(member: SimulatedMember): void {
    for (const map of SLOTTED) {
      const partition = member.partition(map)
      for (const { rowKey, value } of partition === undefined ? [] : liveRows(partition)) {
        const totals = this.#totals.get(`${map} ${rowKey}`)
        if (isCounting(partition!.name.kind) && readShare(value).up >= FORGED_COUNT)
          this.#violated(`${member.peerId} has a count that no peer has made in '${shown(map, rowKey)}'`)
        if (totals === undefined) continue
        const total = totals.get(textOf(value))
        const where = `${member.peerId} has [${textOf(value)}] in '${shown(map, rowKey)}'`
        if (total === undefined)
          this.#violated(`${where}, which its guest never counted: ${[...totals.keys()].join(' ')}`)
        else if (!total.isRefused) total.isApplied = true
        else if (!total.isTaken && !total.isApplied)
          this.#violated(`${where}, and its guest was answered that it is refused`)
      }
    }
  }

  /** What was taken and is not there in the end. */
  lost(member: SimulatedMember): string | undefined {
    for (const [row, totals] of this.#totals) {
      const { map, rowKey } = parted(row)
      if (this.#deleted.has(`${map} ${keyOf(member.partition(map), rowKey)}`)) continue
      const here = readShare(valueAt(member.partition(map), rowKey))
      for (const [text, { isTaken }] of totals)
        if (isTaken && sizeOf(here) < sizeOf(shareOf(text)))
          return `[${text}] in '${shown(map, rowKey)}' was taken, and there is [${here.up},${here.down}]`
    }
    for (const row of this.#added) {
      const { map, rowKey } = parted(row)
      const partition = member.partition(map)
      const element = keyOf(partition, rowKey)
      // A later add may have taken the place of this one.
      if (!this.#deleted.has(`${map} ${element}`) && !isThere(partition, element))
        return `'${shown(map, rowKey)}' was added, never removed, and is not there`
    }
    for (const added of this.#addedByMembers) {
      const { map, rowKey: element } = parted(added)
      if (!this.#deleted.has(added) && !isThere(member.partition(map), element))
        return `'${shown(map, element)}' was added by a member, never removed, and is not there`
    }
    for (const [row, hlc] of this.#removed) {
      const { map, rowKey } = parted(row)
      const partition = member.partition(map)
      const slot = partition?.replica.table.slotOf(rowKey)
      if (slot !== undefined && valueAt(partition, rowKey) !== undefined && partition!.replica.table.hlc(slot) <= hlc)
        return `'${shown(map, rowKey)}' was removed, and is there`
    }
    return undefined
  }
}

/** The rows that are there. */
export function liveRows({ replica: { table } }: Partition): { readonly rowKey: string; readonly value: Uint8Array }[] {
  const slots = [...table.slots()].filter((slot) => !table.deleted(slot))
  return slots.map((slot) => ({ rowKey: table.key(slot), value: table.value(slot)! }))
}

/** Rows as text, to compare what two peers have. */
export function slotText({ rowKey, value }: { readonly rowKey: string; readonly value: Uint8Array }): string {
  return `${rowKey.replaceAll('\0', ' ')}=${value.join('.')}`
}

function valueAt(partition: Partition | undefined, rowKey: string): Uint8Array | undefined {
  const slot = partition?.replica.table.slotOf(rowKey)
  return slot === undefined ? undefined : partition!.replica.table.value(slot)
}

function isThere(partition: Partition | undefined, element: string): boolean {
  const table = partition?.replica.table
  return table !== undefined && table.slotsOf(element).some((slot) => !table.deleted(slot))
}

function keyOf(partition: Partition | undefined, rowKey: string): string {
  return partition === undefined ? rowKey : entryKeyOf(partition.name.kind, rowKey)
}

function parted(row: string): { readonly map: string; readonly rowKey: string } {
  const map = SLOTTED.find((each) => row.startsWith(`${each} `))!
  return { map, rowKey: row.slice(map.length + 1) }
}

function shown(map: string, rowKey: string): string {
  return ['\0', '\u0001', '\ue000'].reduce((text, mark) => text.replaceAll(mark, ' '), `${map} ${rowKey}`)
}

function textOf(bytes: Uint8Array): string {
  const { down, up } = readShare(bytes)
  return `${up},${down}`
}

function shareOf(text: string): Share {
  const [up, down] = text.split(',').map(Number)
  return { up: up!, down: down! }
}

function sizeOf({ down, up }: Share): number {
  return up + down
}
