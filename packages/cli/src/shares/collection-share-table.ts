import type { CollectionStatus } from 'gossipgrid'
import type { Colors } from '../terminal/colors.ts'
import { bytesText, countText } from '../terminal/quantities.ts'
import { table } from '../terminal/table.ts'
import { visible } from '../terminal/visible.ts'
import { shortened, wholeText } from './share-texts.ts'

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

function movingText({ handingOver = 0, handingOverBytes = 0 }: CollectionStatus): string {
  return handingOver === 0 ? '-' : `${countText(handingOver)}, ${bytesText(handingOverBytes)} left`
}
