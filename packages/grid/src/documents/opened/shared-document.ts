// Named imports of what may not be installed fail the builds of those who open no document.
import * as protocol from 'y-protocols/awareness'
import * as Y from 'yjs'

/** The Y.Doc of all users that open a document without one of their own. No user can destroy it. */
export class SharedDoc extends Y.Doc {
  /** Does nothing: each user closes the document, and the grid releases it after the last one. */
  override destroy(): void {}

  /** Destroys it, for all users. */
  release(): void {
    super.destroy()
  }
}

/** The Awareness of a shared Y.Doc. */
export class SharedAwareness extends protocol.Awareness {
  /** Does nothing, as with the Y.Doc. */
  override destroy(): void {}

  /** Destroys it, for all users. */
  release(): void {
    super.destroy()
  }
}
