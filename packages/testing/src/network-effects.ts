import { BROADCAST_MAX_BYTES, MESSAGE_MAX_BYTES } from '@gossipgrid/core'
import type { Effect } from '@gossipgrid/core'
import { indexOf } from './peer-ids.ts'
import type { SimulatedNetwork } from './simulated-network.ts'
import type { TraceHash } from './trace-hash.ts'

type NetworkEffect = Extract<Effect, { readonly type: 'broadcast' | 'dial' | 'direct' | 'redial' | 'send' }>

/** Performs an effect of the network. Returns an error when the peer asked for something it must not. */
export function performOnNetwork(
  effect: NetworkEffect,
  from: number,
  { network, trace }: { readonly network: SimulatedNetwork; readonly trace: TraceHash },
): string[] {
  if ('bytes' in effect) trace.bytes(effect.bytes)
  switch (effect.type) {
    case 'send':
      network.send(from, indexOf(effect.to), effect.bytes)
      return tooLarge(effect.bytes, MESSAGE_MAX_BYTES)
    case 'broadcast':
      network.broadcast(from, effect.bytes)
      return tooLarge(effect.bytes, BROADCAST_MAX_BYTES)
    case 'direct':
      network.direct(from, effect.to.map(indexOf), effect.bytes)
      return tooLarge(effect.bytes, BROADCAST_MAX_BYTES)
    case 'dial':
      network.dial(from, indexOf(effect.peerId))
      return []
    case 'redial':
      network.redial(from, indexOf(effect.neighbour))
      return []
  }
}

function tooLarge(bytes: Uint8Array, maxBytes: number): string[] {
  return bytes.length > maxBytes ? [`unbounded: a message of ${bytes.length} bytes`] : []
}
