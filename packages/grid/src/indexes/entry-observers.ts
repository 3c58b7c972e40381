/** Those who follow the changes of the entries of a source. */
export class EntryObservers {
  #all: readonly ((entry: number) => void)[] = []

  get size(): number {
    return this.#all.length
  }

  /** Adds one. The returned function takes it away; one that is added twice is called twice. */
  add(changed: (entry: number) => void): () => void {
    const observer = (entry: number): void => changed(entry)
    this.#all = [...this.#all, observer]
    return () => {
      this.#all = this.#all.filter((each) => each !== observer)
    }
  }

  /** Calls all that there are now. */
  report(entry: number): void {
    for (const observer of this.#all) observer(entry)
  }
}
