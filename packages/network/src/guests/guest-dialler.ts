import { preset } from '#preset'
import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import type { Connection } from '@libp2p/interface'
import { createLibp2p } from 'libp2p'
import { GridError } from '@gossipgrid/core'
import type { PeerId } from '@gossipgrid/core'
import { badAddress, parseAddress } from '../addresses.ts'
import { DialWindow } from '../dial-window.ts'
import { abort, forgiveAborts, orAborted, stopNode } from '../ending.ts'
import { OpenSockets } from '../socket-ends.ts'
import { Newcomers } from '../strangers/newcomers.ts'
import type { GuestChannel } from './guest-channel.ts'
import { GUEST_MESSAGE_MAX_BYTES, guestProtocol } from './guest-protocol.ts'
import { GuestStream } from './guest-stream.ts'

export { verifySignature } from './signatures.ts'
export type { GuestChannel }

/** Options of `openGuestDialler`. */
export interface GuestDiallerOptions {
  readonly gridName: string
  /** An Ed25519 key as libp2p encodes it (protobuf). Default: a new key. */
  readonly privateKey?: Uint8Array | undefined
}

/** How a guest reaches members. It listens nowhere, and finds no peers. */
export interface GuestDialler {
  readonly peerId: PeerId
  /** Connects to a member. Rejects with `NETWORK_DIAL_FAILED` or `NETWORK_BAD_ADDRESS`. */
  dial(address: string, signal: AbortSignal): Promise<GuestChannel>
  exportPrivateKey(): Uint8Array
  /** Bytes sent and received since the start. */
  traffic(): { readonly sentBytes: number; readonly receivedBytes: number }
  stop(): Promise<void>
}

/** Throws `NETWORK_BAD_ADDRESS` for an address that a guest cannot dial here. */
export function checkGuestAddress(address: string): void {
  parseAddress(address)
  if (!preset.dials(address)) throw badAddress(address, `cannot be dialled from here: ${preset.dialsWhat}`)
}

export async function openGuestDialler({ gridName, privateKey: stored }: GuestDiallerOptions): Promise<GuestDialler> {
  const privateKey = stored === undefined ? await generateKeyPair('Ed25519') : privateKeyFromProtobuf(stored)
  const traffic = { sentBytes: 0, receivedBytes: 0 }
  const newcomers = new Newcomers()
  const sockets = new OpenSockets()
  const protocol = await guestProtocol(gridName)
  const transports = preset.transports({ traffic, newcomers, sockets, dialWindow: new DialWindow(), tls: undefined })
  const node = await createLibp2p({
    start: false,
    privateKey,
    ...transports,
    addresses: { listen: [] },
    // Members are in private networks and on loopback as well.
    connectionGater: { denyDialMultiaddr: () => false },
    // Members give signs on the stream, see `GuestStream`.
    connectionMonitor: { enabled: false },
  })
  await preset.prepare?.(node)
  forgiveAborts(node)
  await node.start()
  return {
    peerId: node.peerId.toString(),
    exportPrivateKey: () => privateKeyToProtobuf(privateKey),
    traffic: () => ({ ...traffic }),
    stop: () => stopNode(node, sockets),
    dial: async (address, signal) => {
      const target = parseAddress(address)
      let connection: Connection | undefined
      try {
        const opened = (connection = await orAborted(node.dial(target, { signal, force: true }), signal))
        const stream = await connection.newStream(protocol, { signal })
        const trusted = (): void => newcomers.proven(opened)
        return new GuestStream(connection, stream, GUEST_MESSAGE_MAX_BYTES, { side: 'guest', trusted })
      } catch (cause) {
        if (connection !== undefined) abort(connection, 'it serves no guests of this grid')
        const why = cause instanceof Error ? cause.message : String(cause)
        throw new GridError('NETWORK_DIAL_FAILED', `no member serves guests at ${address}: ${why}`, { cause })
      }
    },
  }
}
