import { GUESTS, encodeValue } from '@gossipgrid/core'
import type { Partition } from '@gossipgrid/core'
import { hlcFromWall } from '@gossipgrid/core'
import type { RowWrite } from '../../runtime/row-write.ts'
import type { WritePath } from '../../runtime/write-path.ts'
import { PASS_LIFE_MAX_MS } from '../guest-limits.ts'

/** Every pass that was valid when it was revoked has ended by then, on machines whose clocks differ. */
const KEPT_MS: number = PASS_LIFE_MAX_MS + 24 * 3_600_000
const PREFIX = 'revoked/'

/** Which passes are revoked: rows that all members have. */
export class Revocations {
  readonly #writes: WritePath

  constructor(writes: WritePath) {
    this.#writes = writes
  }

  has(id: string): boolean {
    const { table } = this.#partition.replica
    const slot = table.slotOf(PREFIX + id)
    return slot !== undefined && !table.deleted(slot)
  }

  /** Resolves when it is durable here. Forgets those that were revoked so long ago that their passes have ended. */
  async revoke(id: string): Promise<void> {
    const partition = this.#partition
    const { table } = partition.replica
    const before = hlcFromWall(this.#writes.pump.wallMs - KEPT_MS)
    const ended = [...table.slots()].filter((slot) => {
      return !table.deleted(slot) && table.hlc(slot) < before && table.key(slot).startsWith(PREFIX)
    })
    const rows: RowWrite[] = ended.map((slot) => ({ partition, key: table.key(slot), bytes: undefined }))
    await this.#writes.writeRows([{ partition, key: PREFIX + id, bytes: encodeValue(true, 8) }, ...rows])
  }

  get #partition(): Partition {
    return this.#writes.pump.peer.collections.internal(GUESTS)
  }
}
