import { libp2pNetwork } from 'gossipgrid'
import type { Libp2pNetwork, Libp2pNetworkOptions } from 'gossipgrid'

/** A network cable that a button pulls: cuts this tab from all other peers, and connects it again. */
export class Cable {
  #network: Libp2pNetwork | undefined
  #plugged = true

  get plugged(): boolean {
    return this.#plugged
  }

  /** For `openGrid`, which calls it. */
  readonly network = async (options: Libp2pNetworkOptions): Promise<Libp2pNetwork> => {
    this.#network = await libp2pNetwork({ ...options, accept: () => this.#plugged })
    return this.#network
  }

  pull(): void {
    this.#plugged = false
    this.#network?.block(this.#network.neighbours())
  }

  plug(): void {
    this.#plugged = true
    this.#network?.unblock()
  }
}
