import type { GuestsOptions } from 'gossipgrid'
import { CliError } from '../cli-error.ts'
import { listenAddress } from './addresses.ts'

/** The options about guests. */
export interface GuestServing {
  readonly guests?: readonly string[]
  readonly announceGuests?: readonly string[]
  readonly guestsMax?: number
}

/** Throws `USAGE` for a peer without a secret, and for options that say nothing without `--guests`. */
export function checkGuests({ announceGuests, guests, guestsMax }: GuestServing, secrets: readonly string[]): void {
  if (guests === undefined && (announceGuests !== undefined || guestsMax !== undefined))
    throw new CliError('USAGE', '--announce-guests and --guests-max need --guests')
  if (guests === undefined || secrets.length > 0) return
  throw new CliError(
    'USAGE',
    'guests need a grid with a secret: without one, everyone is a member',
    'Make one with gossipgrid secret --out grid.secret, and give all peers --secret-file grid.secret.',
  )
}

/** What `openGrid` is given of them. A port means WebSockets, which tabs and all other guests can use. */
export function guestsOf(
  { announceGuests, guests, guestsMax }: GuestServing,
  isSecure: boolean,
): { readonly guests?: GuestsOptions } {
  if (guests === undefined) return {}
  const listen = guests.map((typed) => {
    return typed.startsWith('/') ? typed : `${listenAddress(typed)}${isSecure ? '/tls/ws' : '/ws'}`
  })
  const announce = announceGuests === undefined ? {} : { announce: announceGuests }
  return { guests: { listen, ...announce, ...(guestsMax === undefined ? {} : { max: guestsMax }) } }
}
