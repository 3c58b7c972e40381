import type { OwnerShare } from 'gossipgrid'
import { shortId } from '../control/running-peer.ts'
import type { Colors } from '../terminal/colors.ts'
import { countText } from '../terminal/quantities.ts'
import { table } from '../terminal/table.ts'
import { visible } from '../terminal/visible.ts'
import { wholeText } from './share-texts.ts'

/** The peers that are able to own, each with its share of all partitioned collections. Undefined where there are none. */
export async function memberShareTable(
  shares: readonly OwnerShare[],
  wide: boolean,
  colors: Colors,
): Promise<string | undefined> {
  if (shares.length === 0) return undefined
  return table(
    [
      { title: 'owner' },
      { title: 'zone' },
      { title: 'weight', align: 'right' },
      { title: 'state' },
      { title: 'owned', align: 'right' },
      { title: 'whole', align: 'right' },
      { title: 'handing over', align: 'right' },
    ],
    shares.map(({ handingOver, owned, peerId, state, weight, whole, zone }) => [
      wide ? peerId : shortId(peerId),
      visible(zone) || '-',
      String(weight),
      state === 'owner' ? state : colors.yellow(state),
      countText(owned),
      wholeText(owned, whole, colors),
      countText(handingOver),
    ]),
    colors,
  )
}
