import type { NetworkListener } from './simulated-network.ts'
import { peerIdOf } from './peer-ids.ts'
import type { SimulatedPeer } from './simulated-peer.ts'

/** Delivers network events to the machines. */
export function deliverTo(machines: readonly SimulatedPeer[]): NetworkListener {
  return {
    connected: (peer, neighbour) => machines[peer]!.take({ type: 'connected', neighbour: peerIdOf(neighbour) }),
    disconnected: (peer, neighbour) => machines[peer]!.take({ type: 'disconnected', neighbour: peerIdOf(neighbour) }),
    message: (peer, from, bytes) => machines[peer]!.take({ type: 'message', from: peerIdOf(from), bytes }),
    broadcast: (peer, from, bytes) => machines[peer]!.take({ type: 'broadcast', from: peerIdOf(from), bytes }),
    direct: (peer, from, bytes) => machines[peer]!.take({ type: 'direct', from: peerIdOf(from), bytes }),
    directed: (peer, missed) => machines[peer]!.take({ type: 'directed', missed: missed.map(peerIdOf) }),
    broadcasted: (peer) => machines[peer]!.take({ type: 'broadcasted' }),
  }
}
