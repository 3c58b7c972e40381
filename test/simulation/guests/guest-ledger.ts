import { decodeValue } from '@gossipgrid/core'
import type { GuestWrite, WriteAnswer } from '../../../packages/grid/src/guests/messages.ts'
import { writtenText } from './written-values.ts'

/** A write of a guest that gave a key a value, which no other write gives. */
export interface LedgerWrite {
  readonly guest: number
  readonly map: string
  readonly key: string
  readonly value: string
  /** A member has answered that it is taken, or has applied it. */
  isTaken: boolean
  /** The guest has got the answer that it is refused. */
  isRefused: boolean
  /** The guest has written the key again before it was answered. */
  isReplaced: boolean
  /** It is stored at the guest. */
  isStored: boolean
  /** The date that it has at members. */
  hlc: number | undefined
}

/** All writes of guests, by what they write. */
export class GuestLedger {
  readonly #writes = new Map<string, LedgerWrite>()
  /** The writes that were sent, by guest and number. */
  readonly #sent = new Map<string, string>()
  readonly #waiting = new Map<string, LedgerWrite>()
  taken = 0
  refused = 0

  get all(): Iterable<LedgerWrite> {
    return this.#writes.values()
  }

  get size(): number {
    return this.#writes.size
  }

  find(value: string): LedgerWrite | undefined {
    return this.#writes.get(value)
  }

  /** A guest gives a key a value, or deletes it. */
  wrote(guest: number, map: string, key: string, value: string | undefined): LedgerWrite | undefined {
    const id = `${guest} ${map} ${key}`
    const before = this.#waiting.get(id)
    if (before !== undefined) before.isReplaced = true
    this.#waiting.delete(id)
    if (value === undefined) return undefined
    const became = { isTaken: false, isRefused: false, isReplaced: false, isStored: false, hlc: undefined }
    const write: LedgerWrite = { guest, map, key, value, ...became }
    this.#writes.set(value, write)
    this.#waiting.set(id, write)
    return write
  }

  /** A guest has crashed: what was not stored may be there or not. */
  forgot(guest: number): void {
    for (const [id, write] of this.#waiting) {
      if (write.guest !== guest || write.isStored) continue
      write.isReplaced = true
      this.#waiting.delete(id)
    }
  }

  sent(guest: number, { bytes, number }: GuestWrite): void {
    if (bytes !== undefined) this.#sent.set(`${guest} ${number}`, writtenText(decodeValue(bytes)))
  }

  /** A member answers. Undefined for the answer to a delete. */
  answers(guest: number, { code, number }: WriteAnswer): LedgerWrite | undefined {
    const write = this.#writes.get(this.#sent.get(`${guest} ${number}`) ?? '')
    if (write === undefined || code !== '') return write
    if (!write.isTaken) this.taken += 1
    write.isTaken = true
    return write
  }

  /** An answer has arrived at the guest. */
  answered(guest: number, { code, number }: WriteAnswer): void {
    const write = this.#writes.get(this.#sent.get(`${guest} ${number}`) ?? '')
    if (write === undefined || code === '') return
    if (!write.isRefused) this.refused += 1
    write.isRefused = true
  }
}
