import { DIRECT_NEIGHBOURS_MAX } from '../limits.ts'
import type { Membership } from '../members/membership.ts'
import type { NeighbourTable } from '../members/neighbour-table.ts'
import type { PeerId } from '../ports.ts'

export interface DirectRouteDeps {
  /** False: everything goes by gossip. */
  readonly enabled: boolean
  readonly membership: Membership
  readonly neighbours: NeighbourTable
}

/**
 * Decides whether what this peer broadcasts goes straight to its neighbours, each on a stream of its own, or by gossip. A
 * stream is several times faster and needs no signature, but reaches only neighbours. So it is used while every member is a
 * neighbour, they are few, and all have said in `hello` that they read such frames. Heartbeats always go by gossip: by them
 * a peer learns of members that are not its neighbours.
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
    const { enabled, membership, neighbours } = this.#deps
    if (!enabled || neighbours.size === 0 || neighbours.size > DIRECT_NEIGHBOURS_MAX) return undefined
    if (!neighbours.allReadDirect || !membership.everyPresent((peerId) => neighbours.has(peerId))) return undefined
    return neighbours.ids()
  }
}
