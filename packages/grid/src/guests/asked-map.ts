import { calledSo } from './covering.ts'
import { MessageFields } from './message-fields.ts'

/** The partitioned map that a guest asks about, as it has opened it. */
export interface AskedMap {
  readonly map: string
  /** Code of its kind. */
  readonly kind: number
  readonly partitions: number
  readonly owners: number
  /** How long the member may wait for owners. */
  readonly timeoutMs: number
}

/** Throws `MESSAGE_MALFORMED`. */
export function askedMapIn(fields: MessageFields): AskedMap {
  const map = MessageFields.name(fields.text('map', 1024))
  if (calledSo(map).what !== 'map') throw MessageFields.malformed('map')
  return {
    map,
    kind: fields.count('kind'),
    partitions: fields.count('partitions'),
    owners: fields.count('owners'),
    timeoutMs: fields.count('timeoutMs'),
  }
}
