import { GridError } from '@gossipgrid/core'
import { checkAddress, onLoopback } from '@gossipgrid/network'
import { checkKind } from '../batches/checks.ts'

/** Where a peer of a grid without a secret listens: on free ports, for programs on the same machine. */
const HERE: readonly string[] = ['/ip4/127.0.0.1/tcp/0', '/ip4/127.0.0.1/tcp/0/ws']

/** The options of `openGrid` that decide who can reach a peer. */
export interface ReachOptions {
  readonly open?: boolean
  readonly listen?: readonly string[]
  readonly announce?: readonly string[]
  readonly join?: readonly string[]
}

/** Who can reach a peer, and where it looks for others. */
export interface Reach {
  /** Who can reach it. `private`: peers with the secret. `open`: all peers. `here`: programs on this machine. */
  readonly kind: 'private' | 'open' | 'here'
  /** Where to listen. Undefined: the defaults of the network. */
  readonly listen: readonly string[] | undefined
  /** Where to look for others. */
  readonly join: readonly string[] | undefined
  /** True if only peers on this machine are dialled. */
  readonly local: boolean
}

/** Throws `INVALID_OPTION` if `open` is no boolean, or is true although there is a secret. */
export function checkOpen(open: unknown, hasSecret: boolean): void {
  checkKind('open', open, 'boolean')
  if (open === true && hasSecret) {
    throw new GridError('INVALID_OPTION', 'a grid with a secret is private: leave out secret, or open')
  }
}

/**
 * A peer without a secret can be reached only from this machine, unless it is `open`. Throws `INVALID_OPTION` if an address
 * lets other machines reach it although it has no secret and is not `open`, and `NETWORK_BAD_ADDRESS`.
 */
export function reachOf(options: ReachOptions, hasSecret: boolean): Reach {
  const { open = false, listen, announce = [], join } = options
  if (open || hasSecret) return { kind: open ? 'open' : 'private', listen, join, local: false }
  for (const [option, addresses] of [['listen', listen ?? []] as const, ['announce', announce] as const]) {
    const wide = addresses.find((address) => !onLoopback(address))
    if (wide === undefined) continue
    checkAddress(wide)
    throw new GridError(
      'INVALID_OPTION',
      `${option} '${wide}' lets other machines reach this peer, and the grid has no secret: give all its peers the same secret, or say open: true if anyone may read and change it`,
    )
  }
  return { kind: 'here', listen: listen ?? HERE, join, local: join?.every(onLoopback) ?? true }
}

/** The log message for a grid without a secret. */
export function reachText(name: string, { kind, local }: Reach): string {
  if (kind === 'open') return `grid '${name}' is open: anyone who knows its name can read and change it`
  const share = 'To share it, give all peers the same secret, or open: true if anyone may read and change it'
  return local
    ? `grid '${name}' has no secret, so only programs on this machine can join it. ${share}`
    : `grid '${name}' has no secret: anyone who knows its name can read and change it where it joins others, and only programs on this machine can join here. ${share}`
}
