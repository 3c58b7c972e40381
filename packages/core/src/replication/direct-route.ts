import { DIRECT_NEIGHBOURS_MAX } from '../limits.ts'
import type { Membership } from '../members/membership.ts'
import type { NeighbourTable } from '../members/neighbour-table.ts'
import type { PeerId } from '../ports.ts'
import type { Sessions } from './sessions.ts'

export interface DirectRouteDeps {
  /** False: everything goes by gossip. */
  readonly enabled: boolean
  readonly membership: Membership
  readonly neighbours: NeighbourTable
  readonly sessions: Sessions
}

/**
 * Decides whether what this peer broadcasts goes straight to its neighbours, each on a stream of its own, or by gossip. A
 * stream is several times faster and needs no signature, but reaches only neighbours. So it is used while every member is a
 * neighbour, they are not too many, and all have said in `hello` that they read such frames. Heartbeats go straight also to many
 * neighbours, and now and then by gossip: by that a peer learns of members that are not its neighbours.
 */
export class DirectRoute {
  readonly #deps: DirectRouteDeps

  constructor(deps: DirectRouteDeps) {
    this.#deps = deps
  }

  /** This peer reads frames that are sent straight to it. */
  get enabled(): boolean {
    return this.#deps.enabled
  }

  /** All neighbours, while frames go straight to them; undefined while they go by gossip. */
  get neighbours(): readonly PeerId[] | undefined {
    const { neighbours } = this.#deps
    return neighbours.size <= DIRECT_NEIGHBOURS_MAX && this.reachesAll ? neighbours.ids() : undefined
  }

  /**
   * Neighbours that get frames straight although they go by gossip: those that a session is under way with. A frame that gossip
   * loses, as it does between peers that have just met, is repaired by the next session, and this one may take long.
   */
  get inSession(): readonly PeerId[] {
    const { enabled, neighbours, sessions } = this.#deps
    if (!enabled || sessions.size === 0) return []
    return [...sessions.neighbours()].filter((peerId) => neighbours.readsDirect(peerId))
  }

  /** Every member is a neighbour that reads what is sent straight to it. */
  get reachesAll(): boolean {
    const { enabled, membership, neighbours } = this.#deps
    if (!enabled || neighbours.size === 0 || !neighbours.allReadDirect) return false
    return membership.everyPresent((peerId) => neighbours.has(peerId))
  }
}
