import { VALUE_MAX_BYTES } from '@gossipgrid/core'
import type { Logger } from '../../logger.ts'
import { onlyDefined } from '../../only-defined.ts'
import type { OpenedNetwork, OpenGridOptions } from '../../open-grid-options.ts'
import { GuestFace } from './guest-face.ts'
import type { GuestFaceDeps, OpenGuestFace } from './guest-face.ts'

/** What a member with these secrets has to do with guests. What passes and serving guests need is loaded where it is used. */
export function memberFace(
  { guests, name, tls, valueSizeMaxBytes = VALUE_MAX_BYTES }: OpenGridOptions,
  network: OpenedNetwork,
  secrets: readonly string[],
  logger: Logger,
): OpenGuestFace {
  const openOffice: GuestFaceDeps['openOffice'] = async ({ writes }) => {
    const { openPassOffice } = await import('../passes/pass-office.ts')
    return openPassOffice(name, secrets, writes)
  }
  const serve: GuestFaceDeps['serve'] = async ({ writes }, office, signals, maps) => {
    const { serveGuests } = await import('../serving/serve-guests.ts')
    const input = {
      gridName: name,
      secrets,
      writes,
      signals,
      maps,
      office,
      options: guests!,
      valueSizeMaxBytes,
      logger,
    }
    return serveGuests({ ...input, ...onlyDefined({ tls, privateKey: network.exportPrivateKey?.() }) })
  }
  const face: GuestFaceDeps = guests === undefined ? { openOffice } : { openOffice, serve }
  return (...parts) => new GuestFace(face, ...parts)
}
