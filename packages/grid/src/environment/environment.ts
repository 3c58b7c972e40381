import type { Role, Storage } from '@gossipgrid/core'
import type { memberFace } from '../guests/face/member-face.ts'
import type { Logger } from '../logger.ts'
import type { OpenGridOptions } from '../open-grid-options.ts'
import type { Reach, reachText } from '../lifecycle/reach.ts'
import type { Runtime } from '../runtime/runtime.ts'

export interface OpenedStorage {
  readonly storage: Storage
  /** What the store has lost, or ''. */
  readonly loss: string
}

/** What differs between servers and browsers. `#environment` in package.json chooses; bundlers for browsers take theirs. */
export interface Environment {
  /** Default role of a peer. Undefined: its store decides. */
  readonly role: Role | undefined
  /** Decides who can reach a peer here, and reads its addresses. Undefined where other peers cannot dial one: a tab is reached through peers that it has dialled. */
  readonly reach:
    | { readonly of: (options: OpenGridOptions, hasSecret: boolean) => Reach; readonly text: typeof reachText }
    | undefined
  /** Throws `INVALID_OPTION` for an option of another environment, `INSECURE_PAGE` on a page where no peer can run. */
  check(options: OpenGridOptions): void
  /** Where the grid stores its data: one grid of a page or process at a time. Undefined for memory and a store of its own. */
  place(options: OpenGridOptions): string | undefined
  openStorage(options: OpenGridOptions, logger: Logger): Promise<OpenedStorage>
  /** What a member with these secrets has to do with guests. Undefined in tabs, which issue no passes, and which no peer can dial. */
  readonly memberFace: typeof memberFace | undefined
  /** Reports to the peer when its page is hidden, frozen or shown, until the returned function is called. */
  follow(runtime: Runtime): () => void
}
