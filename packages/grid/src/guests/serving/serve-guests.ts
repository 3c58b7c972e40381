import { listenForGuests } from '@gossipgrid/network/guest-listener'
import type { GuestListenerOptions } from '@gossipgrid/network/guest-listener'
import type { PartitionedMaps } from '../../collections/partitioned-maps.ts'
import type { Logger } from '../../logger.ts'
import { onlyDefined } from '../../only-defined.ts'
import type { WritePath } from '../../runtime/write-path.ts'
import type { GridSignals } from '../../signals/grid-signals.ts'
import type { PassOffice } from '../passes/pass-office.ts'
import { MemberSignals } from '../signals/member-signals.ts'
import { GuestAuthors } from '../documents/guest-authors.ts'
import { TakenEdits } from './taken-edits.ts'
import type { GuestsOptions } from '../guest-options.ts'
import { ServedMaps } from '../partitioned/served-maps.ts'
import { isAuthorized } from './authorization.ts'
import { GuestService } from './guest-service.ts'
import { GuestWrites } from './guest-writes.ts'
import { SharedReads } from './shared-reads.ts'
import { SubjectRates } from './subject-rates.ts'
import { SubjectTotals } from './subject-totals.ts'

const GUESTS_MAX = 1000

export interface ServeGuestsInput extends Pick<GuestListenerOptions, 'gridName' | 'tls' | 'privateKey'> {
  readonly secrets: readonly string[]
  readonly writes: WritePath
  readonly signals: GridSignals
  readonly maps: Pick<PartitionedMaps, 'loadQueries'>
  readonly office: PassOffice
  readonly options: GuestsOptions
  readonly valueSizeMaxBytes: number
  readonly logger: Logger
}

/** Begins to serve guests. Rejects with `NETWORK_PORT_TAKEN`, `NETWORK_BAD_ADDRESS`, `NETWORK_START_FAILED`. */
export async function serveGuests(input: ServeGuestsInput): Promise<GuestService> {
  const { gridName, logger, maps, office, options, privateKey, secrets, signals, tls, valueSizeMaxBytes, writes } =
    input
  const { announce, authorize, listen, max: guestsMax = GUESTS_MAX, quotas } = options
  const totals = new SubjectTotals(() => writes.pump.peer.collections, quotas)
  const authors = new GuestAuthors(gridName, secrets)
  const edits = new TakenEdits({ pump: writes.pump, authors, authorize, logger })
  const taken = new GuestWrites({ writes, valueSizeMaxBytes, authorize, totals, edits, logger })
  const served = new ServedMaps({
    writes,
    valueSizeMaxBytes,
    loadQueries: () => maps.loadQueries(),
    cursorKeys: office.passes.keys.map(({ cursorKey }) => cursorKey),
    isAuthorized: authorize && ((pass, asked) => isAuthorized({ authorize, logger }, pass, asked)),
    counts: taken.counts,
  })
  const service = new GuestService({
    ...office,
    pump: writes.pump,
    rates: new SubjectRates(quotas),
    writes: taken,
    maps: served,
    edits,
    shared: new SharedReads(),
    signals: new MemberSignals(signals, writes.pump),
    logger,
    guestsMax,
  })
  const listener = await listenForGuests({
    gridName,
    listen,
    guestsMax,
    ...onlyDefined({ announce, tls, privateKey }),
    onConnection: (connection) => service.onConnection(connection),
  })
  service.start(listener)
  return service
}
