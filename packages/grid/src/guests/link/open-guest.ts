import { GridError } from '@gossipgrid/core'
import { checkGuestAddress, openGuestDialler } from '@gossipgrid/network/guest-dialler'
import type { Logger } from '../../logger.ts'
import { GuestFace } from '../face/guest-face.ts'
import type { GuestLinkInput, GuestLinkFace, OpenGuestFace } from '../face/guest-face.ts'
import type { PassSource } from '../pass-text.ts'
import { mapsAtGuest } from '../partitioned/maps-at-guest.ts'
import { GuestSlots } from '../slots/guest-slots.ts'
import type { Slot } from '../slots/slot-proof.ts'
import { GuestLink } from './guest-link.ts'
import { GuestOutbox } from './guest-outbox.ts'
import { PassHolder } from './pass-holder.ts'
import { SoloNetwork } from './solo-network.ts'

export { drawSlot } from '../slots/slot-proof.ts'

export interface GuestInput {
  readonly name: string
  readonly join: readonly string[]
  readonly pass: PassSource
  readonly privateKey: Uint8Array | undefined
  /** Drawn for this opening. */
  readonly slot: Slot
}

/** The network of a guest. Rejects with `NETWORK_BAD_ADDRESS` for an address that it cannot dial. */
export async function openSoloNetwork({ join, name, privateKey }: Omit<GuestInput, 'slot'>): Promise<SoloNetwork> {
  if (join.length === 0) throw new GridError('INVALID_OPTION', 'join has no address: a guest joins a member by one')
  for (const address of join) checkGuestAddress(address)
  return new SoloNetwork(await openGuestDialler({ gridName: name, privateKey }))
}

/** What makes a grid one of a guest. */
export function guestFace(input: GuestInput, network: SoloNetwork, logger: Logger): OpenGuestFace {
  return (parts, events) => new GuestFace({ link: (hooks) => guestLink(input, network, logger, hooks) }, parts, events)
}

/** Connects the grid of a guest to members. */
export function guestLink(
  { join, name, pass, slot }: GuestInput,
  network: SoloNetwork,
  logger: Logger,
  { exchanged, refused, runtime, signals }: GuestLinkInput,
): GuestLinkFace {
  const outbox = new GuestOutbox(runtime, new GuestSlots(runtime.peer, slot))
  const link = new GuestLink({
    pump: runtime,
    outbox,
    dialler: network.dialler,
    addresses: join,
    passes: new PassHolder(pass, name, () => runtime.wallMs),
    logger,
    signals,
    exchanged,
    refused,
  })
  network.onOnline = (online) => link.setOnline(online)
  network.onWake = () => link.wake()
  return {
    overlay: outbox,
    route: link.signals,
    maps: mapsAtGuest({ requests: link.requests, feeds: link.feeds, pump: runtime }, logger),
    start: () => link.start(),
    status: () => link.status(),
    close: () => link.close(),
  }
}
