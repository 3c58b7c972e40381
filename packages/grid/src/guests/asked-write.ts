/** A write of a guest, in the words of the application. */
export interface AskedWrite {
  /** The name of the map; '' for a set, a counter or a document. */
  readonly map: string
  /** The name of the set. Undefined for others. */
  readonly set?: string
  /** The name of the counter. Undefined for others. */
  readonly counter?: string
  /** The name of the document that is edited. Undefined for others. */
  readonly doc?: string
  /** The key of the entry; '' in a single set or counter; the name of the document. */
  readonly key: string
  /** In a replicated map with fields: the field that is written. Undefined for the object as a whole. */
  readonly field: string | undefined
  /**
   * The value, or that of the field; `{}` for the object as a whole, and all of it in a partitioned map. Of a set: the element that is added. Of a counter: the whole number that is
   * added, below 0 if it is taken away. Of a document: the edit, as a Yjs update (V1). Undefined deletes.
   */
  readonly value: unknown
  /** The same before the write, at this peer: of a set the element, of a counter its count. Undefined where there is none, and for a document. */
  readonly previous: unknown
}
