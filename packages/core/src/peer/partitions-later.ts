import type * as code from '../ownership/partitioning.ts'

/** The code for partitioned collections: a tab loads it with the first of them. See `#rare/partitions` in package.json. */
export const partitions: { code: typeof code | undefined; load(): Promise<void> } = {
  code: undefined,
  load: () => Promise.resolve(),
}
