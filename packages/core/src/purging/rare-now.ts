import * as code from './rare-work.ts'

/** The code that most peers never run: here it is always there. See `#rare` in package.json. */
export const rare: { code: typeof code | undefined; load(): Promise<void> } = {
  code,
  load: () => Promise.resolve(),
}
