import { resolve } from 'node:path'
import { GridError } from '@gossipgrid/core'
import { levelStorage, memoryStorage } from '@gossipgrid/storage'
import type { LevelHealthReport } from '@gossipgrid/storage'
import { checkGuestsOptions } from '../guests/guest-options.ts'
import type { Logger } from '../logger.ts'
import type { OpenGridOptions } from '../open-grid-options.ts'
import { joinAddress, listenAddress } from '../addresses.ts'
import { reachOf, reachText } from '../lifecycle/reach.ts'
import type { Reach } from '../lifecycle/reach.ts'
import { onlyDefined } from '../only-defined.ts'
import { memberFace } from '../guests/face/member-face.ts'
import type { Environment, OpenedStorage } from './environment.ts'
import { checkOptionKinds } from './option-kinds.ts'

/** The environment of Node, Deno and Bun. */
export const environment: Environment = {
  role: undefined,
  reach: { of: reachOfTyped, text: reachText },
  check: (options) => {
    checkOptionKinds(options)
    if (options.guests !== undefined) checkGuestsOptions(options.guests)
    const { directory, persist, storage } = options
    if (persist !== true || directory !== undefined || storage !== undefined) return
    throw new GridError('INVALID_OPTION', 'persist is for browsers: pass a directory to store the data in')
  },
  place: ({ directory }) => (directory === undefined ? undefined : resolve(directory)),
  openStorage,
  memberFace,
  follow: () => () => undefined,
}

/** As `reachOf`, with addresses as people write them. */
function reachOfTyped({ open, announce, listen, join }: OpenGridOptions, hasSecret: boolean): Reach {
  const addresses = { listen: listen?.map(listenAddress), join: join?.map(joinAddress) }
  return reachOf(onlyDefined({ open, announce, ...addresses }), hasSecret)
}

async function openStorage(options: OpenGridOptions, logger: Logger): Promise<OpenedStorage> {
  if (options.directory === undefined) {
    logger.info('no directory: data is kept in memory only')
    return { storage: memoryStorage(), loss: '' }
  }
  const storage = await levelStorage({ directory: options.directory, logger })
  return { storage, loss: lossOf(storage.health()) }
}

function lossOf({ droppedBytes, lostLog, setAside }: LevelHealthReport): string {
  if (setAside !== undefined) return `the database was damaged and was set aside as ${setAside}`
  if (lostLog) return "the database's log was missing"
  return droppedBytes > 0 ? `${droppedBytes} bytes of the database's log were unreadable` : ''
}
