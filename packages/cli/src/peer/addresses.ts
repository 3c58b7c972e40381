import { isIP } from 'node:net'
import { CliError } from '../cli-error.ts'

const HOST_NAME = /^[\p{L}\p{M}\p{N}._-]+$/u

/** An address as people type it: `4001`, `192.168.1.7:4001`, `[::1]:4001`, `example.org:4001`. */
interface HostPort {
  readonly host: string
  readonly port: number
}

/** A listen address in the form of libp2p: a port alone means all interfaces. Throws `USAGE`. */
export function listenAddress(typed: string): string {
  if (typed.startsWith('/')) return typed
  const { host, port } = hostPort(
    /^\d+$/.test(typed) ? `0.0.0.0:${typed}` : typed.replace(/^\*:/, '0.0.0.0:'),
    '--listen',
  )
  if (isIP(host) === 0) {
    throw new CliError(
      'USAGE',
      `--listen ${typed}: ${host} is no IP address of this machine`,
      'Give an IP address, or a port alone.',
    )
  }
  return multiaddr(host, port)
}

/** An address to join by in the form of libp2p. Throws `USAGE`. */
export function joinAddress(typed: string): string {
  if (typed.startsWith('/')) return typed
  const { host, port } = hostPort(typed, '--join')
  return multiaddr(host, port)
}

/** `[HOST:]PORT`; without a host it is this machine alone. Throws `USAGE`. */
export function metricsAddress(typed: string): HostPort {
  return hostPort(/^\d+$/.test(typed) ? `127.0.0.1:${typed}` : typed, '--metrics')
}

function hostPort(typed: string, option: string): HostPort {
  const [, v6, name, digits] = /^(?:\[([^\]]+)\]|([^:/]+)):(\d+)$/.exec(typed) ?? []
  const host = v6 ?? name
  const port = Number(digits)
  if (host !== undefined && (isIP(host) > 0 || HOST_NAME.test(host)) && port <= 65_535) return { host, port }
  throw new CliError(
    'USAGE',
    `${option} ${typed} is no address`,
    `Write HOST:PORT, as in 192.168.1.7:4001 or [2001:db8::7]:4001${option === '--join' ? ', or a whole address that a peer has printed' : ', or a port alone'}.`,
  )
}

function multiaddr(host: string, port: number): string {
  const version = isIP(host)
  return `/${version === 4 ? 'ip4' : version === 6 ? 'ip6' : 'dns4'}/${host}/tcp/${port}`
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
