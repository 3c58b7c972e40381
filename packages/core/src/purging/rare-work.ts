import type { Instant } from '../instant.ts'
import { Drops } from './drops.ts'
import type { DropsDeps } from './drops.ts'
import { DurableWork } from './durable-work.ts'
import type { DurableWorkDeps } from './durable-work.ts'
import { Purging } from './purging.ts'
import type { PurgingDeps } from './purging.ts'
import type { RegisteredNames } from './registered-names.ts'

export interface RareWorkDeps extends DropsDeps, PurgingDeps, Omit<DurableWorkDeps, 'purging'> {
  readonly names: RegisteredNames
}

/** What most peers never do. A tab loads the code when it is needed. */
export interface RareWork {
  readonly drops: Drops
  readonly purging: Purging
  /** The regular work of a durable member. */
  attend(wallMs: number, now: Instant): void
}

export function makeRareWork(deps: RareWorkDeps): RareWork {
  const drops = new Drops(deps)
  const purging = new Purging(deps)
  const durable = new DurableWork({ ...deps, purging })
  drops.start()
  return {
    drops,
    purging,
    attend: (wallMs, now) => {
      durable.attend(wallMs)
      drops.tidy(deps.names, now)
    },
  }
}
