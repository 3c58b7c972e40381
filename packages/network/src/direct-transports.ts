import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import type { Transport } from '@libp2p/interface'
import { webRTC } from '@libp2p/webrtc'
import { guarded, withGuardedUpgrader } from './strangers/guarded-transport.ts'
import type { Newcomers } from './strangers/newcomers.ts'

type Components = Parameters<ReturnType<typeof circuitRelayTransport>>[0] & Parameters<ReturnType<typeof webRTC>>[0]

/** The transports between tabs: WebRTC, and relays, through which two tabs agree on WebRTC. */
export function directTransports(
  components: Components,
  rtcConfiguration: RTCConfiguration,
  newcomers: Newcomers,
): Transport[] {
  const guardedComponents = withGuardedUpgrader(components, newcomers)
  const relayed = circuitRelayTransport()(guardedComponents)
  forgive(relayed)
  return [relayed, guarded(webRTC({ rtcConfiguration }), newcomers)(guardedComponents)]
}

/** libp2p never again uses a relay that could not be dialled once, but a server may restart under the same name. */
function forgive(transport: Transport): void {
  const { reservationStore } = transport as unknown as { reservationStore: { relayFilter: object } }
  reservationStore.relayFilter = { has: () => false, add: () => undefined }
}
