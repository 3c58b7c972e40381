import { createServer } from 'node:net'
import * as typedAddress from 'gossipgrid/addresses'
import type { HostPort } from 'gossipgrid/addresses'
import { CliError, errorText } from '../cli-error.ts'

/** So many ports above that of TCP are tried for WebSockets. */
const PORTS_TRIED_MAX = 100

/** A listen address in the form of libp2p: a port alone means all interfaces. Throws `USAGE`. */
export function listenAddress(typed: string): string {
  return read('--listen', () => typedAddress.listenAddress(typed))
}

/** An address to join by in the form of libp2p. Throws `USAGE`. */
export function joinAddress(typed: string): string {
  return read('--join', () => typedAddress.joinAddress(typed))
}

/** `[HOST:]PORT`; without a host it is this machine alone. Throws `USAGE`. */
export function metricsAddress(typed: string): HostPort {
  return read('--metrics', () => typedAddress.hostPort(/^\d+$/.test(typed) ? `127.0.0.1:${typed}` : typed, typed))
}

function read<Address>(option: string, parse: () => Address): Address {
  try {
    return parse()
  } catch (error) {
    throw new CliError('USAGE', `${option} ${errorText(error)}`, '', { cause: error })
  }
}

/**
 * The addresses to listen on: those that were typed, and beside each port one for WebSockets, by which tabs join. It is the next
 * port, or the first free one after that. Nothing is added to multiaddrs, which say exactly what is meant, and nowhere if one
 * of the addresses is for WebSockets already. Throws `USAGE`.
 */
export async function listenAddresses(typed: readonly string[], secure: boolean): Promise<string[]> {
  const addresses = typed.map(listenAddress)
  if (addresses.some((address) => /\/wss?(\/|$)/.test(address))) return addresses
  const ports = new Set(addresses.map((address) => tcpOf(address)?.port))
  for (const [i, address] of typed.entries()) {
    const tcp = address.startsWith('/') ? undefined : tcpOf(addresses[i]!)
    if (tcp === undefined) continue
    const port = tcp.port === 0 ? 0 : await portAfter(tcp, ports)
    if (port === undefined) continue
    ports.add(port)
    addresses.push(`${addresses[i]!.replace(/\d+$/, String(port))}${secure ? '/tls/ws' : '/ws'}`)
  }
  return addresses
}

/** The first free port after this one. Undefined if there is none near. */
async function portAfter(
  { host, port }: HostPort,
  taken: ReadonlySet<number | undefined>,
): Promise<number | undefined> {
  for (let next = port + 1; next <= Math.min(port + PORTS_TRIED_MAX, 65_535); next++) {
    if (!taken.has(next) && (await isFree(host, next))) return next
  }
  return undefined
}

function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)))
  })
}

/** Host and port of an address of libp2p; undefined where it is not TCP. */
export function tcpOf(address: string): HostPort | undefined {
  const [, host, port] = /^\/(?:ip4|ip6|dns4|dns6|dns)\/([^/]+)\/tcp\/(\d+)/.exec(address) ?? []
  return host === undefined ? undefined : { host, port: Number(port) }
}

/** True where only this machine can reach the address. */
export function onlyHere(address: string): boolean {
  const host = tcpOf(address)?.host ?? ''
  return host.startsWith('127.') || host === '::1' || host === 'localhost'
}
