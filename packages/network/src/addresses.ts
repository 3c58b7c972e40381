import { multiaddr } from '@multiformats/multiaddr'
import type { Multiaddr } from '@multiformats/multiaddr'
import { GridError } from '@gossipgrid/core'
import type { PeerId } from '@gossipgrid/core'

const EXAMPLE = '/ip4/192.168.1.7/tcp/4001 or /dns4/example.org/tcp/4001/p2p/<peer id>'

/** What can carry a connection, or leads to what can. */
const CARRIER = /\/(?:tcp|udp|p2p-circuit|webrtc|unix|memory)(?:\/|$)/

/** Reads a multiaddr that a connection can be made by. Throws `NETWORK_BAD_ADDRESS` with an example of a good one. */
export function parseAddress(address: string): Multiaddr {
  let cause: unknown
  try {
    const parsed = multiaddr(address)
    if (CARRIER.test(address)) return parsed
  } catch (error) {
    cause = error
  }
  throw badAddress(address, 'is no multiaddr with a port', cause)
}

/** The error for an address that cannot be used. */
export function badAddress(address: string, complaint: string, cause?: unknown): GridError {
  return new GridError('NETWORK_BAD_ADDRESS', `"${address}" ${complaint}; write one like ${EXAMPLE}`, { cause })
}

/** False for a way through a relay: two tabs may agree there on a direct connection (`/webrtc`), and nothing else. */
export function carriesData(address: string): boolean {
  return !address.includes('/p2p-circuit') || address.includes('/webrtc')
}

/** The peer id that an address ends in, if it does. */
export function peerIdIn(address: string): PeerId | undefined {
  return /\/p2p\/([^/]+)$/.exec(address)?.[1]
}

/** The addresses, each ending in the peer id. */
export function withPeerId(addresses: readonly Multiaddr[], peerId: PeerId): string[] {
  return addresses.map((address) => {
    const text = address.toString()
    return peerIdIn(text) === undefined ? `${text}/p2p/${peerId}` : text
  })
}

/** What libp2p says of listen addresses it could not open, as one `GridError`. */
export function startError(error: unknown): GridError {
  const text = error instanceof Error ? error.message : String(error)
  const taken = /^\s*(\/\S+): [^\n]*(?:EADDRINUSE|AddrInUse|in use)/im.exec(text)
  if (taken !== null) {
    return new GridError('NETWORK_PORT_TAKEN', `${taken[1]} cannot be listened on: another program has that port`, {
      cause: error,
    })
  }
  // libp2p puts the stacks of all its listeners into the message: people want the reasons, `cause` has the rest.
  const reasons = text.replaceAll(/^\s+at .*$\n?/gm, '').trim()
  return new GridError('NETWORK_START_FAILED', `the network could not start: ${reasons}`, { cause: error })
}
