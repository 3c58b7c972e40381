import type { Role, Storage } from '@gossipgrid/core'
import type { Logger } from '../logger.ts'
import type { OpenGridOptions } from '../open-grid-options.ts'
import type { reachOf, reachText } from '../lifecycle/reach.ts'
import type { Runtime } from '../runtime/runtime.ts'

export interface OpenedStorage {
  readonly storage: Storage
  /** What the store itself lost, or ''. */
  readonly loss: string
}

/** What depends on where a peer runs. `#environment` in package.json chooses: a bundler for browsers takes theirs. */
export interface Environment {
  /** What a peer is for unless it is told; undefined: what its store says. */
  readonly role: Role | undefined
  /** How others reach a peer here by an address; undefined where they cannot. A tab is reached through peers that it has dialled itself. */
  readonly reach: { readonly of: typeof reachOf; readonly text: typeof reachText } | undefined
  /** Throws `INVALID_OPTION` for what this environment does not have, `INSECURE_PAGE` where no peer can run. */
  check(options: OpenGridOptions): void
  openStorage(options: OpenGridOptions, logger: Logger): Promise<OpenedStorage>
  /** Tells the peer what becomes of the page it lives in, until the function that is returned is called. */
  follow(runtime: Runtime): () => void
}
