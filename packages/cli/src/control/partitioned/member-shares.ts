import type { Grid, OwnerShare } from 'gossipgrid'

/** What each peer that is able to own has of all partitioned collections together, in the order of their ids. */
export async function memberShares(grid: Grid): Promise<readonly OwnerShare[]> {
  const sums = new Map<string, OwnerShare>()
  for (const { name, partitions } of grid.collections()) {
    if (partitions === undefined) continue
    for (const share of await grid.owners(name)) {
      const { owned = 0, whole = 0, handingOver = 0 } = sums.get(share.peerId) ?? {}
      sums.set(share.peerId, {
        ...share,
        owned: owned + share.owned,
        whole: whole + share.whole,
        handingOver: handingOver + share.handingOver,
      })
    }
  }
  return [...sums.values()].toSorted((a, b) => (a.peerId < b.peerId ? -1 : 1))
}
