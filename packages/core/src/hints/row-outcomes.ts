/** What became of a row that a peer was sent for a partition. On the wire: never change a number. */
export const RowOutcome = {
  /** It is durable in the receiver's copy, or a later version of its entry is. */
  STORED: 0,
  /** It is durable at the receiver, which has no copy and passes it on. */
  KEPT: 1,
  /** It is dated too far ahead of the receiver's clock. */
  AHEAD: 2,
  /** The receiver has no room. */
  FULL: 3,
  /** The collection was dropped, or is another one at the receiver. */
  REFUSED: 4,
  /** As `STORED`, but its dot was seen before with another row: two processes use one replica id. */
  REUSED: 5,
} as const

export type RowOutcome = (typeof RowOutcome)[keyof typeof RowOutcome]
