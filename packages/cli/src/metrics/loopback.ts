import { isIP } from 'node:net'

/** Whether only this machine can reach a listener on `host`. */
export function isLoopback(host: string): boolean {
  if (isIP(host) === 4) return host.startsWith('127.')
  return host === 'localhost' || host === '::1'
}

/** Whether a request's `Host` header names this machine. With DNS rebinding it names another one. */
export function namesLoopback(header: string | undefined): boolean {
  if (header === undefined || !URL.canParse(`http://${header}`)) return false
  const { hostname } = new URL(`http://${header}`)
  return isLoopback(hostname.replace(/^\[(.*)\]$/, '$1'))
}
