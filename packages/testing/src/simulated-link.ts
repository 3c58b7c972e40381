/** One end of a link: a peer that may believe in the connection longer than it lasts. */
export interface LinkEnd {
  readonly peer: number
  /** Has been told `connected`, and not yet `disconnected`. */
  believes: boolean
  /** Time of the last arrival here so far: streams keep their order. */
  arrivalMs: number
  /** The same for frames that come straight from the other end. */
  directArrivalMs: number
  /** Messages for this end that wait for the path to open again. */
  readonly stalled: Uint8Array[]
  /** Frames for this end that wait likewise. */
  readonly stalledDirect: Uint8Array[]
  /** Broadcasts of the other end no longer come over this connection, until it is made anew. */
  deaf: boolean
}

/** The one possible connection between two peers. */
export class SimulatedLink {
  readonly ends: readonly [LinkEnd, LinkEnd]
  /** The connection stands. */
  alive = false
  /** Counts connections: what was sent over an earlier one never arrives over a later one. */
  connection = 0
  /** What is in flight when the connection breaks still arrives up to this moment. */
  cutOffMs: number = Infinity
  /** Somebody has dialled: the network goes on trying. */
  wanted = false
  /** An attempt to connect is queued. */
  attempting = false
  /** No connection before this moment. */
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
