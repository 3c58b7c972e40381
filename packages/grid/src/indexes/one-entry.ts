import type { Content, EntrySource } from './entry-source.ts'

/** A source of one entry: the one that is looked at. */
export class OneEntry implements EntrySource {
  readonly span = 1
  readonly #content: Content = { bytes: new Uint8Array(0), start: 0, end: 0 }
  #key = ''

  set(key: string, bytes: Uint8Array): void {
    this.#key = key
    this.#content.bytes = bytes
    this.#content.end = bytes.length
  }

  key(): string {
    return this.#key
  }

  find(key: string): number | undefined {
    return key === this.#key ? 0 : undefined
  }

  read(_entry: number, into: Content): boolean {
    Object.assign(into, this.#content)
    return true
  }

  isHidden(): boolean {
    return false
  }

  observe(): () => void {
    return () => undefined
  }

  refresh(): void {
    // Its content is set.
  }
}
