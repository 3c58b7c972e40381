import { circuitRelayServer } from '@libp2p/circuit-relay-v2'
import type { CircuitRelayServerComponents, CircuitRelayService } from '@libp2p/circuit-relay-v2'
import type { AbortOptions, Connection, PeerId, Startable } from '@libp2p/interface'

/** How many tabs can be reached through one relay at a time. Each has a connection that is open anyway. */
const RESERVATIONS_MAX = 512
/** How many connections a relay takes: it leaves room for tabs that only ask. */
export const RELAY_CONNECTIONS_MAX: number = 2 * RESERVATIONS_MAX
/** A tab renews its reservation within this time, or is dropped. */
const RESERVATION_MAX_MS = 60 * 60 * 1000
/** How much two tabs may send each other through a relay: enough to agree on a direct connection, too little for data. */
const RELAYED_MAX_BYTES: bigint = 128n * 1024n
const RELAYED_MAX_MS = 60_000
/** How long asking for a relayed connection may take. */
const HOP_MAX_MS = 15_000
/** How many requests of one connection may run at once. */
const HOP_STREAMS_MAX = 32

/**
 * Passes on what two browser tabs need to agree on a WebRTC connection. Every server peer does this. Data never goes this way.
 */
export function relayService(): (components: CircuitRelayServerComponents) => CircuitRelayService {
  const serve = circuitRelayServer({
    hopTimeout: HOP_MAX_MS,
    maxInboundHopStreams: HOP_STREAMS_MAX,
    maxOutboundHopStreams: HOP_STREAMS_MAX,
    maxOutboundStopStreams: RESERVATIONS_MAX,
    reservations: {
      maxReservations: RESERVATIONS_MAX,
      reservationTtl: RESERVATION_MAX_MS,
      applyDefaultLimit: true,
      defaultDataLimit: RELAYED_MAX_BYTES,
      defaultDurationLimit: RELAYED_MAX_MS,
    },
  })
  return (components) => withTimelyEnds(serve(components) as RelayServer)
}

interface RelayServer extends CircuitRelayService, Startable {
  handleReserve(hop: { readonly connection: Connection }, options: AbortOptions): Promise<void>
}

/**
 * A reservation ends with its connection. Otherwise strangers that come and go would take all reservations for an hour.
 *
 * Deno does not end while the timer of a reservation runs, which takes up to an hour. So reservations are deleted when the relay
 * stops. And a renewed reservation is deleted and made again, since the timer of a renewal cannot be cleared.
 */
function withTimelyEnds(relay: RelayServer): RelayServer {
  const [stop, handleReserve] = [relay.stop.bind(relay), relay.handleReserve.bind(relay)]
  const end = (peerId: PeerId): void => {
    relay.reservations.get(peerId)?.signal.clear()
    relay.reservations.delete(peerId)
  }
  relay.handleReserve = async ({ connection, ...hop }, options) => {
    const { remotePeer } = connection
    end(remotePeer)
    await handleReserve({ connection, ...hop }, options)
    const made = relay.reservations.get(remotePeer)
    const leave = (): void => {
      if (relay.reservations.get(remotePeer) === made) end(remotePeer)
    }
    if (connection.status === 'open') connection.addEventListener('close', leave, { once: true })
    else leave()
  }
  relay.stop = () => {
    for (const { signal } of relay.reservations.values()) signal.clear()
    return stop()
  }
  return relay
}
