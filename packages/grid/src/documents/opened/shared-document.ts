// Named imports of what may not be installed fail the builds of those who open no document.
import * as protocol from 'y-protocols/awareness'
import * as Y from 'yjs'

/** The Y.Doc of all who open a document without one of their own: none of them ends it for the others. */
export class SharedDoc extends Y.Doc {
  /** Changes nothing: each user closes the document, and the grid lets go of it after the last one. */
  override destroy(): void {}

  /** Ends it for all. */
  release(): void {
    super.destroy()
  }
}

/** The Awareness that comes with it. */
export class SharedAwareness extends protocol.Awareness {
  /** Changes nothing, as with the Y.Doc. */
  override destroy(): void {}

  /** Ends it for all. */
  release(): void {
    super.destroy()
  }
}
