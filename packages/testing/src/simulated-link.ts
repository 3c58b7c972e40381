/** One end of a link. Its peer may still believe in the connection after it broke. */
export interface LinkEnd {
  readonly peer: number
  /** `connected` was reported to the peer, and `disconnected` not yet. */
  believes: boolean
  /** Time of the latest arrival at this end: streams keep their order. */
  arrivalMs: number
  /** The same for frames that the other end sends directly. */
  directArrivalMs: number
  /** Messages for this end that wait for the path to open again. */
  readonly stalled: Uint8Array[]
  /** Frames for this end that wait for it too. */
  readonly stalledDirect: Uint8Array[]
  /** Broadcasts from the other end no longer arrive over this connection, until it is made again. */
  deaf: boolean
}

/** The only possible connection between two peers. */
export class SimulatedLink {
  readonly ends: readonly [LinkEnd, LinkEnd]
  /** The two are connected. */
  alive = false
  /** Counts connections. A message sent over an earlier connection never arrives over a later one. */
  connection = 0
  /** Messages in flight when the connection breaks still arrive until this time. */
  cutOffMs: number = Infinity
  /** A peer has dialled: the network keeps trying to connect. */
  wanted = false
  /** An attempt to connect is queued. */
  attempting = false
  /** The two cannot connect before this time. */
  refusedUntilMs = 0
  /** Added to every delay. */
  slowMs = 0

  constructor(a: number, b: number) {
    this.ends = [newEnd(a), newEnd(b)]
  }

  end(peer: number): LinkEnd {
    return this.ends[0].peer === peer ? this.ends[0] : this.ends[1]
  }

  otherEnd(peer: number): LinkEnd {
    return this.ends[0].peer === peer ? this.ends[1] : this.ends[0]
  }
}

function newEnd(peer: number): LinkEnd {
  return { peer, believes: false, arrivalMs: 0, directArrivalMs: 0, stalled: [], stalledDirect: [], deaf: false }
}
