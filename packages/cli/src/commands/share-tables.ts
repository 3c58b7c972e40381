import type { CollectionStatus, OwnerShare } from 'gossipgrid'
import { shortId } from '../control/running-peer.ts'
import type { Colors } from '../terminal/colors.ts'
import { bytesText, countText } from '../terminal/quantities.ts'
import { table } from '../terminal/table.ts'
import { visible } from '../terminal/visible.ts'

const NAME_COLUMNS = 22

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

/** What this peer has of each partitioned collection. Undefined where there are none. */
export async function collectionShareTable(
  collections: readonly CollectionStatus[],
  colors: Colors,
): Promise<string | undefined> {
  const partitioned = collections.filter(({ partitions }) => partitions !== undefined)
  if (partitioned.length === 0) return undefined
  return table(
    [
      { title: 'partitioned' },
      { title: 'owners', align: 'right' },
      { title: 'partitions', align: 'right' },
      { title: 'owned', align: 'right' },
      { title: 'whole', align: 'right' },
      { title: 'handing over' },
      { title: 'too few copies', align: 'right' },
    ],
    partitioned.map((each) => {
      const { name, owned = 0, owners = 0, partitions = 0, underReplicated = 0, whole = 0 } = each
      return [
        shortened(visible(name)),
        countText(owners),
        countText(partitions),
        countText(owned),
        wholeText(owned, whole, colors),
        movingText(each),
        underReplicated > 0 ? colors.yellow(countText(underReplicated)) : '0',
      ]
    }),
    colors,
  )
}

/** What is not whole is on its way here. */
function wholeText(owned: number, whole: number, colors: Colors): string {
  return whole < owned ? colors.yellow(countText(whole)) : countText(whole)
}

function movingText({ handingOver = 0, handingOverBytes = 0 }: CollectionStatus): string {
  return handingOver === 0 ? '-' : `${countText(handingOver)}, ${bytesText(handingOverBytes)} left`
}

/** A name that fits in a column. */
export function shortened(text: string): string {
  return text.length <= NAME_COLUMNS ? text : `${text.slice(0, NAME_COLUMNS - 1)}…`
}
