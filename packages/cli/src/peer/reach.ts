import { CliError } from '../cli-error.ts'
import { listenAddress, onlyHere } from './addresses.ts'

/** Which machines can reach the peer, by its options. */
export interface ReachOptions {
  readonly open?: true
  readonly listen?: readonly string[]
  readonly announce?: readonly string[]
}

/** Throws `USAGE` where other machines could reach a peer without a secret or `--open`, and where it has both. */
export function checkReach({ open, listen = [], announce = [] }: ReachOptions, secrets: readonly string[]): void {
  if (open === true && secrets.length > 0) {
    throw new CliError(
      'USAGE',
      'a grid with a secret is private',
      'Leave out --open, or the secret (and GOSSIPGRID_SECRET).',
    )
  }
  if (open === true || secrets.length > 0) return
  const typed = listen.find((address) => !onlyHere(listenAddress(address)))
  const announced = announce.find((address) => !onlyHere(address))
  if (typed === undefined && announced === undefined) return
  const option = typed === undefined ? `--announce ${announced}` : `--listen ${typed}`
  throw new CliError(
    'USAGE',
    `${option} lets other machines reach this peer, and the grid has no secret`,
    'Make one with gossipgrid secret --out grid.secret, and give all peers --secret-file grid.secret. Or give --open, if anybody may read and change the grid. For this machine alone: --listen 127.0.0.1:PORT.',
  )
}
