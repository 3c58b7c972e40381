import { createSecureContext } from 'node:tls'
import { GridError, requireKnown } from '@gossipgrid/core'
import type { Certificate, IceServer } from '@gossipgrid/network'
import { checkKind, checkMethods, misfit, requireKind } from '../batches/checks.ts'
import type { Kind } from '../batches/checks.ts'
import type { OpenGridOptions } from '../open-grid-options.ts'

/** The kinds of values that options take. Other options have checks of their own. */
const KINDS: Readonly<Partial<Record<keyof OpenGridOptions, Kind>>> = {
  directory: 'text',
  persist: 'boolean',
  announce: 'texts',
  mdns: 'boolean',
  weight: 'number',
  zone: 'text',
  network: 'function',
  wallMs: 'function',
}
/** Options that are objects, and the methods that these must have. */
const METHODS: Readonly<Partial<Record<keyof OpenGridOptions, readonly string[]>>> = {
  logger: ['debug', 'info', 'warn', 'error'],
  tracer: ['startSpan'],
  storage: ['read', 'list', 'write', 'close'],
}

/**
 * Throws `INVALID_OPTION` for options of a wrong type, which JavaScript programs may pass. Left out of the browser build, to
 * keep that small.
 */
export function checkOptionKinds(options: OpenGridOptions): void {
  for (const [name, kind] of Object.entries(KINDS)) checkKind(name, options[name as keyof OpenGridOptions], kind)
  for (const [name, methods] of Object.entries(METHODS)) {
    checkMethods(name, options[name as keyof OpenGridOptions], methods)
  }
  for (const name of ['join', 'listen'] as const) checkAddresses(name, options[name])
  if (options.directory?.includes('\0') === true) {
    throw new GridError('INVALID_OPTION', 'directory must not contain U+0000')
  }
  checkCertificate(options)
  checkIceServers(options.iceServers)
}

/** Ports may be numbers. */
function checkAddresses(name: string, addresses: unknown): void {
  if (addresses === undefined) return
  if (!Array.isArray(addresses)) throw misfit(name, 'an array of addresses and ports', addresses)
  for (const [i, address] of addresses.entries()) {
    if (typeof address !== 'number') requireKind(`${name}[${i}]`, address, 'text')
  }
}

const CERTIFICATE: Readonly<Record<keyof Certificate, true>> = { cert: true, key: true }
const ICE_SERVER: Readonly<Record<keyof IceServer, true>> = { urls: true, username: true, credential: true }

function checkCertificate({ tls, listen }: OpenGridOptions): void {
  if (tls === undefined) {
    const secure = listen?.find((address) => String(address).includes('/tls'))
    if (secure === undefined) return
    throw new GridError('INVALID_OPTION', `listen '${secure}' needs a certificate: pass it as tls: { cert, key }`)
  }
  named('tls', () => requireKnown(tls, CERTIFICATE))
  for (const part of ['cert', 'key'] as const) requireKind(`tls.${part}`, tls[part], 'text')
  try {
    createSecureContext(tls)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new GridError('INVALID_OPTION', `tls is no certificate with its key, both as PEM text: ${why}`, { cause })
  }
}

function checkIceServers(servers: OpenGridOptions['iceServers']): void {
  if (servers === undefined) return
  if (!Array.isArray(servers)) throw misfit('iceServers', 'an array of { urls }', servers)
  for (const server of servers) {
    named('iceServers', () => requireKnown(server, ICE_SERVER))
    const { urls, username, credential } = server as Partial<IceServer>
    if (urls?.length === 0) throw new GridError('INVALID_OPTION', 'iceServers: urls must not be empty')
    requireKind('urls of iceServers', urls, Array.isArray(urls) ? 'texts' : 'text')
    checkKind('username of iceServers', username, 'text')
    checkKind('credential of iceServers', credential, 'text')
  }
}

/** Adds the name of the option to errors about an object in it. */
function named(option: string, check: () => void): void {
  try {
    check()
  } catch (error) {
    if (!(error instanceof GridError)) throw error
    throw new GridError(error.code, `${option}: ${error.message}`)
  }
}
