import { isSwept } from '@gossipgrid/core'
import type { Partition } from '@gossipgrid/core'
import { TimeSlices } from '../../flow/time-slices.ts'
import { grantKeyOf } from '../map-kinds.ts'
import { KEPT_TOTALS_MAX, TOTALS_FORMS_MAX } from '../guest-limits.ts'

/** Rows, and bytes of their keys and values. */
export interface Total {
  rows: number
  bytes: number
}

const NOTHING: Readonly<Total> = { rows: 0, bytes: 0 }

/**
 * The totals of one map, by what its keys begin with. Prefixes that end with the same character, and have it equally often, are of one form: a key
 * begins with one text of a form at most, so one count is for the prefixes of all subjects. It is made in turns, and then follows the changes.
 */
export class PrefixTotals {
  readonly #partition: Partition
  readonly #keptMax: number
  /** The one that was used last is at the end. */
  readonly #forms = new Map<string, FormTotals>()

  constructor(partition: Partition, keptMax: number = KEPT_TOTALS_MAX) {
    this.#partition = partition
    this.#keptMax = keptMax
    partition.replica.observe({ changed: (slot, previous) => this.#changed(slot, previous) })
  }

  /** Texts whose totals are kept. */
  get size(): number {
    let size = 0
    for (const form of this.#forms.values()) size += form.size
    return size
  }

  /** Undefined if it is to be counted first. */
  of(prefix: string): Readonly<Total> | undefined {
    return this.#forms.get(formOf(prefix))?.of(prefix)
  }

  /** Counts what lies under a prefix, together with others that are asked for meanwhile. Where it is not known then, call again. */
  async count(prefix: string): Promise<void> {
    await this.#formOf(prefix).count(prefix)
  }

  /** The same at once, in one turn: for few rows. */
  countNow(prefix: string): Readonly<Total> {
    return this.#formOf(prefix).countNow(prefix)
  }

  #formOf(prefix: string): FormTotals {
    const name = formOf(prefix)
    const form = this.#forms.get(name) ?? new FormTotals(this.#partition, prefix, () => this.#keptMax - this.size)
    this.#forms.delete(name)
    this.#forms.set(name, form)
    if (this.#forms.size > TOTALS_FORMS_MAX) this.#forms.delete(this.#forms.keys().next().value!)
    return form
  }

  #changed(slot: number, previous: Uint8Array | undefined): void {
    const { name, replica } = this.#partition
    const { table } = replica
    const rowKey = table.key(slot)
    const wasThere = previous !== undefined && !isSwept(previous, 0, previous.length)
    const isThere = !table.deleted(slot)
    const before = wasThere ? sizeOf(rowKey, previous.length) : 0
    const after = isThere ? sizeOf(rowKey, table.valueLength(slot)) : 0
    const rows = (isThere ? 1 : 0) - (wasThere ? 1 : 0)
    const key = grantKeyOf(name.kind, rowKey)
    for (const form of this.#forms.values()) form.changed(slot, key, rows, after - before)
  }
}

/** The totals of the prefixes of one form. */
class FormTotals {
  readonly #partition: Partition
  readonly #mark: string
  readonly #marks: number
  readonly #room: () => number
  /** The one that was used last is at the end. */
  readonly #totals = new Map<string, Total>()
  /** What has no total here has no rows. */
  #isWhole = false
  #isFirst = true
  /** What the next count is for, and what the one under way is for. */
  #wanted = new Set<string>()
  #asked: ReadonlySet<string> = new Set()
  #running: Promise<void> = Promise.resolve()
  #next: Promise<void> | undefined
  /** What is being counted: all slots before `#counted` are in it. */
  #counting: Map<string, Total> | undefined
  #counted = 0

  /** `room` is for how many more totals there is room. */
  constructor(partition: Partition, prefix: string, room: () => number) {
    this.#partition = partition
    this.#mark = prefix.slice(-1)
    this.#marks = marksOf(prefix)
    this.#room = room
  }

  get size(): number {
    return this.#totals.size + (this.#counting?.size ?? 0)
  }

  of(prefix: string): Readonly<Total> | undefined {
    const known = this.#totals.get(prefix)
    if (known === undefined) return this.#isWhole ? NOTHING : undefined
    this.#totals.delete(prefix)
    this.#totals.set(prefix, known)
    return known
  }

  count(prefix: string): Promise<void> {
    this.#wanted.add(prefix)
    this.#next ??= this.#running.then(() => {
      this.#running = this.#next!
      this.#next = undefined
      return this.#count()
    })
    return this.#next
  }

  countNow(prefix: string): Readonly<Total> {
    const { replica } = this.#partition
    const total = { rows: 0, bytes: 0 }
    for (const slot of replica.table.slots()) this.#look(slot, (key) => (key === prefix ? total : undefined))
    this.#keep(prefix, total)
    return total
  }

  changed(slot: number, key: string, rows: number, bytes: number): void {
    const prefix = this.#beginningOf(key)
    if (prefix === undefined) return
    const isCounted = this.#counting !== undefined && slot < this.#counted
    const counting = isCounted ? this.#countingOf(prefix) : undefined
    if (counting !== undefined) add(counting, rows, bytes)
    const known = this.#totals.get(prefix) ?? (this.#isWhole ? this.#begin(prefix) : undefined)
    if (known === undefined) return
    add(known, rows, bytes)
    if (this.#isWhole && known.rows === 0) this.#totals.delete(prefix)
  }

  /** One for what was asked for until now. The first one is for all beginnings that there are, while there is room. */
  async #count(): Promise<void> {
    const { table } = this.#partition.replica
    this.#asked = new Set([...this.#wanted].filter((prefix) => this.of(prefix) === undefined))
    this.#wanted = new Set()
    if (this.#asked.size === 0) return
    const counting = new Map(Array.from(this.#asked, (prefix) => [prefix, { rows: 0, bytes: 0 }]))
    this.#counting = counting
    const slices = new TimeSlices(() => undefined)
    slices.begin()
    for (this.#counted = 0; this.#counted < table.slotCount;) {
      this.#look(this.#counted, (prefix) => this.#countingOf(prefix))
      this.#counted += 1
      if (slices.isOver(this.#counted)) await slices.next()
    }
    this.#counting = undefined
    if (this.#isFirst) this.#isWhole = true
    this.#isFirst = false
    for (const [prefix, total] of counting) if (!this.#isWhole || total.rows > 0) this.#keep(prefix, total)
    // Those that were used longest ago are counted again when they are needed.
    for (const prefix of this.#totals.keys()) {
      if (this.#room() >= 0 || this.#totals.size <= counting.size) return
      this.#totals.delete(prefix)
      this.#isWhole = false
    }
  }

  #look(slot: number, totalOf: (prefix: string) => Total | undefined): void {
    const { name, replica } = this.#partition
    const { table } = replica
    if (table.isFree(slot) || table.deleted(slot)) return
    const rowKey = table.key(slot)
    const prefix = this.#beginningOf(grantKeyOf(name.kind, rowKey))
    const total = prefix === undefined ? undefined : totalOf(prefix)
    if (total !== undefined) add(total, 1, sizeOf(rowKey, table.valueLength(slot)))
  }

  #countingOf(prefix: string): Total | undefined {
    const counting = this.#counting!
    const known = counting.get(prefix)
    if (known !== undefined || !this.#isFirst) return known
    if (this.#room() <= 0) {
      this.#isFirst = false
      for (const other of counting.keys()) if (!this.#asked.has(other)) counting.delete(other)
      return undefined
    }
    const total = { rows: 0, bytes: 0 }
    counting.set(prefix, total)
    return total
  }

  #begin(prefix: string): Total | undefined {
    if (this.#room() <= 0) {
      this.#isWhole = false
      return undefined
    }
    const total = { rows: 0, bytes: 0 }
    this.#totals.set(prefix, total)
    return total
  }

  #keep(prefix: string, total: Total): void {
    this.#totals.delete(prefix)
    this.#totals.set(prefix, total)
  }

  /** What a key begins with that is of this form. */
  #beginningOf(key: string): string | undefined {
    let end = 0
    for (let marks = 0; marks < this.#marks; marks++) {
      end = key.indexOf(this.#mark, end) + 1
      if (end === 0) return undefined
    }
    return key.slice(0, end)
  }
}

function add(total: Total, rows: number, bytes: number): void {
  total.rows += rows
  total.bytes += bytes
}

/** How often a prefix has its last character. */
function marksOf(prefix: string): number {
  return prefix === '' ? 0 : prefix.split(prefix.at(-1)!).length - 1
}

function formOf(prefix: string): string {
  return `${marksOf(prefix)}${prefix.slice(-1)}`
}

/** Keys count with their text in UTF-8. */
export function sizeOf(rowKey: string, valueBytes: number): number {
  return Buffer.byteLength(rowKey) + valueBytes
}
