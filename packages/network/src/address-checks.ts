import { GridError } from '@gossipgrid/core'
import { parseAddress } from './addresses.ts'

const LOOPBACK = /^\/(?:ip4\/127\.|ip6\/(?:(?:0*:)+0*1|::ffff:127\.[\d.]+)\/|dns[46]?\/localhost\/|unix\/|memory\/)/i

/** True for an address that only programs on the same machine can dial. */
export function onLoopback(address: string): boolean {
  return LOOPBACK.test(address) && !address.includes('/p2p-circuit')
}

/** Throws `NETWORK_BAD_ADDRESS` for a text that is no multiaddr by which a connection can be made. */
export function checkAddress(address: string): void {
  parseAddress(address)
}

/** What an environment can dial, and the advice for somebody who passes other addresses. */
export interface Diallable {
  readonly dials: (address: string) => boolean
  readonly dialsWhat: string
}

/**
 * Throws `NETWORK_BAD_ADDRESS` if none of the addresses can be dialled: the peer would wait for ever, without a word. Some may be
 * for peers of another kind.
 */
export function checkJoin(join: readonly string[], { dials, dialsWhat }: Diallable): void {
  if (join.length === 0 || join.some(dials)) return
  throw new GridError(
    'NETWORK_BAD_ADDRESS',
    `no address to join can be dialled from here, such as ${join[0]}: ${dialsWhat}`,
  )
}
