import { GUESTS, decodeValue, encodeValue } from '@gossipgrid/core'
import type { Partition } from '@gossipgrid/core'
import type { Pump } from '../../runtime/write-path.ts'
import type { Grant } from '../grants.ts'

const KEY = 'self'
const ROW_MAX_BYTES: number = 64 * 1024

/** What a guest keeps about itself. */
interface Self {
  /** Names its numbers of writes at members. */
  readonly guest: string
  readonly subject: string
  /** What members said last that its pass allows. */
  readonly grants: readonly Grant[]
  /** Under whom it edits documents, as members said. */
  readonly author?: string | undefined
}

/** Who the guest was the last time, and what it was allowed. */
export class GuestIdentity {
  readonly #pump: Pump
  #self: Self | undefined

  constructor(pump: Pump) {
    this.#pump = pump
    const { table } = this.#own.replica
    const slot = table.slotOf(KEY)
    this.#self = slot === undefined || table.deleted(slot) ? undefined : (decodeValue(table.value(slot)!) as Self)
  }

  /** Undefined before the first pass. */
  get subject(): string | undefined {
    return this.#self?.subject
  }

  get guest(): string {
    return this.#self?.guest ?? ''
  }

  /** Undefined before the first pass. */
  get grants(): readonly Grant[] | undefined {
    return this.#self?.grants
  }

  /** The guest is of this subject from now on, under a new name. */
  become(subject: string, grants: readonly Grant[]): void {
    const bytes = crypto.getRandomValues(new Uint8Array(16))
    const guest = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
    this.#keep({ guest, subject, grants })
  }

  /** Undefined before a member has said it. */
  get author(): string | undefined {
    return this.#self?.author
  }

  /** A member has said what the pass allows, and under whom the guest edits documents. */
  allow(grants: readonly Grant[], author: string | undefined): void {
    const known = this.#self
    if (known === undefined) return
    const self = { ...known, grants, author: author ?? known.author }
    if (JSON.stringify(self) !== JSON.stringify(known)) this.#keep(self)
  }

  #keep(self: Self): void {
    this.#self = self
    const { peer } = this.#pump
    this.#pump.undisturbed(() => peer.write(this.#own, KEY, encodeValue({ ...self }, ROW_MAX_BYTES), this.#pump.now()))
    this.#pump.tickSoon()
  }

  get #own(): Partition {
    return this.#pump.peer.collections.internal(GUESTS)
  }
}
