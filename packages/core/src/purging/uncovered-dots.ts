import { includesSeen } from '../versions/floor.ts'
import type { Floor } from '../versions/floor.ts'
import type { ReplicaIds } from '../versions/replica-ids.ts'
import { VersionVector } from '../versions/version-vector.ts'

/** The part of a vector that none of some floors covers, of up to `idsMax` replica ids: of each, all that the vector has seen. */
export function uncoveredDots(
  vector: VersionVector,
  floors: readonly Floor[],
  ids: ReplicaIds,
  idsMax: number,
): VersionVector {
  const news = new VersionVector()
  for (const writer of vector.writers()) {
    if (news.size >= idsMax) break
    const [head, ranges] = [vector.head(writer), vector.rangesAbove(writer)]
    const isCovered = floors.some((floor) => {
      const seen = floor.seenOfId(ids.id(writer))
      return seen !== undefined && includesSeen(seen, head, ranges)
    })
    if (isCovered) continue
    if (head > 0) news.addRange(writer, 1, head)
    news.addRanges(writer, ranges)
  }
  return news
}
