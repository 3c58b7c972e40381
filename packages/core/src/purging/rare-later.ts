import type * as code from './rare-work.ts'

/** The code that most peers never run: the grid loads it when it is needed. See `#rare` in package.json. */
export const rare: { code: typeof code | undefined; load(): Promise<void> } = {
  code: undefined,
  load: () => Promise.resolve(),
}
