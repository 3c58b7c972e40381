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
