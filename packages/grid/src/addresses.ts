import './node-version.ts'
import { isIP } from 'node:net'
import { GridError } from '@gossipgrid/core'

const PORT_MAX = 65_535
const HOST_NAME = /^[\p{L}\p{M}\p{N}._-]+$/u

/** Host and port, as in `192.168.1.7:4001`, `[::1]:4001` and `example.org:4001`. */
export interface HostPort {
  /** A name or an IP address, without brackets. */
  readonly host: string
  /** From 0 to 65,535. */
  readonly port: number
}

/**
 * The multiaddr of a listen address: a port (`4001`, all interfaces), `HOST:PORT` or `*:PORT` with an IP address of this machine,
 * or a multiaddr, which stays as it is. Throws `NETWORK_BAD_ADDRESS`.
 */
export function listenAddress(typed: string | number): string {
  const text = String(typed)
  if (text.startsWith('/')) return text
  const { host, port } = hostPort(/^\d+$/.test(text) ? `0.0.0.0:${text}` : text.replace(/^\*:/, '0.0.0.0:'), text)
  if (isIP(host) > 0) return tcpAddress(host, port)
  throw bad(text, `${host} is no IP address of this machine. Give an IP address, or a port alone`)
}

/**
 * The multiaddr of an address to join: `HOST:PORT`, a port of this machine, or a multiaddr, as a peer prints its own, which stays as
 * it is. Throws `NETWORK_BAD_ADDRESS`.
 */
export function joinAddress(typed: string | number): string {
  const text = String(typed)
  if (text.startsWith('/')) return text
  const { host, port } = hostPort(/^\d+$/.test(text) ? `127.0.0.1:${text}` : text, text)
  return tcpAddress(host, port)
}

/** Reads `HOST:PORT`. An error names what was `typed`. Throws `NETWORK_BAD_ADDRESS`. */
export function hostPort(text: string, typed: string = text): HostPort {
  const [, v6, name, digits] = /^(?:\[([^\]]+)\]|([^:/]+)):(\d+)$/.exec(text) ?? []
  const host = v6 ?? name
  const port = Number(digits)
  if (host !== undefined && port > PORT_MAX) throw bad(typed, `${digits} is no port. Ports go from 0 to ${PORT_MAX}`)
  if (host !== undefined && (isIP(host) > 0 || HOST_NAME.test(host))) return { host, port }
  throw bad(
    typed,
    'write HOST:PORT, as in 192.168.1.7:4001 or [2001:db8::7]:4001, a port alone, or a whole address that a peer has printed',
  )
}

function tcpAddress(host: string, port: number): string {
  const version = isIP(host)
  return `/${version === 4 ? 'ip4' : version === 6 ? 'ip6' : 'dns4'}/${host}/tcp/${port}`
}

function bad(typed: string, complaint: string): GridError {
  return new GridError('NETWORK_BAD_ADDRESS', `${typed} is no address: ${complaint}`)
}
