import { execFile } from 'node:child_process'
import type { Logger } from 'gossipgrid'

/** Says to systemd that the peer is up, where it runs as a service of `Type=notify`. Anywhere else it does nothing. */
export function reportUp(log: Logger): void {
  if ((process.env['NOTIFY_SOCKET'] ?? '') === '') return
  execFile('systemd-notify', ['--ready'], (error) => {
    if (error !== null) log.warn(`systemd does not hear that the peer is up: ${error.message}`)
  })
}

/** A file that systemd passes to this service, and that no other process sees. */
export function isCredential(file: string): boolean {
  const directory = process.env['CREDENTIALS_DIRECTORY'] ?? ''
  return directory !== '' && file.startsWith(`${directory}/`)
}
