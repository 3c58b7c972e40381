import { GridError } from '@gossipgrid/core'
import { onLoopback, parseAddress } from '@gossipgrid/network'

/** Where a peer of a grid without a secret listens: any free port, for programs on the same machine. */
const HERE: readonly string[] = ['/ip4/127.0.0.1/tcp/0', '/ip4/127.0.0.1/tcp/0/ws']

/** What of the options of `openGrid` decides who can reach a peer. */
export interface ReachOptions {
  readonly open?: boolean
  readonly listen?: readonly string[]
  readonly announce?: readonly string[]
  readonly join?: readonly string[]
}

/** Who can reach a peer, and whom it looks for. */
export interface Reach {
  /** `private`: who has the secret. `open`: anybody. `here`: programs on this machine. */
  readonly kind: 'private' | 'open' | 'here'
  /** Where to listen; undefined: where peers do by default. */
  readonly listen: readonly string[] | undefined
  /** Only peers on this machine are dialled. */
  readonly local: boolean
}

/** Throws `INVALID_OPTION` for an `open` that is no boolean, or that stands beside a secret. */
export function checkOpen(open: unknown, hasSecret: boolean): void {
  if (open !== undefined && typeof open !== 'boolean') {
    throw new GridError('INVALID_OPTION', `open is true or false, not ${open === null ? 'null' : typeof open}`)
  }
  if (open === true && hasSecret) {
    throw new GridError('INVALID_OPTION', 'a grid with a secret is private: leave out secret, or open')
  }
}

/**
 * A peer without a secret is reached from this machine alone, unless it is told to be `open`. Throws `INVALID_OPTION` where an address lets others
 * reach it without either, `NETWORK_BAD_ADDRESS`.
 */
export function reachOf(options: ReachOptions, hasSecret: boolean): Reach {
  const { open = false, listen, announce = [], join = [] } = options
  if (open || hasSecret) return { kind: open ? 'open' : 'private', listen, local: false }
  for (const [option, addresses] of [['listen', listen ?? []] as const, ['announce', announce] as const]) {
    const wide = addresses.find((address) => !onLoopback(address))
    if (wide === undefined) continue
    parseAddress(wide)
    throw new GridError(
      'INVALID_OPTION',
      `${option} '${wide}' lets other machines reach this peer, and the grid has no secret: give all its peers the same secret, or say open: true if anybody may read and change it`,
    )
  }
  return { kind: 'here', listen: listen ?? HERE, local: join.every(onLoopback) }
}

/** What the log says of a grid without a secret: one line. */
export function reachText(name: string, { kind, local }: Reach): string {
  if (kind === 'open') return `grid '${name}' is open: whoever knows its name can read and change it`
  const share = 'To share it, give all peers the same secret, or open: true if anybody may read and change it'
  return local
    ? `grid '${name}' has no secret, so only programs on this machine can join it. ${share}`
    : `grid '${name}' has no secret: whoever knows its name can read and change it where it joins others, and only programs on this machine can join here. ${share}`
}
