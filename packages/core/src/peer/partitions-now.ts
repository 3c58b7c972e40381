import * as code from '../ownership/partitioning.ts'

/** The code for partitioned collections: here it is always there. See `#rare/partitions` in package.json. */
export const partitions: { code: typeof code | undefined; load(): Promise<void> } = {
  code,
  load: () => Promise.resolve(),
}
