/** What a member follows for one guest. */
export interface ServedFeed {
  /** How many partitions it follows. */
  readonly partitionCount: number
  /** What is new, once there is something, or when it has waited for so long. Undefined: it is over. Rejects where the guest can go on with it no more. */
  next(holdMs: number): Promise<object | undefined>
  /** Follows no more; what waits resolves. */
  stop(): void
}
