/** A library that is measured beside others: how it is installed, and how two programs share a map of text with it. */
export interface Contender {
  readonly name: string
  /** What npm installs. Without a version, the newest. */
  readonly packages: readonly string[]
  /** What a copy imports. It is imported before anything is measured. */
  readonly modules: readonly string[]
  /** The package whose version is shown. */
  readonly shown: string
  /** Whether what both sides wrote while they were apart reaches the other side. */
  readonly heals: boolean
  /** How many entries are written in a stream; 10,000 unless it would take too long. */
  readonly entries?: number
  /** What a reader has to know to compare the figures. */
  readonly remark: string
  /** Starts what its programs meet at, and resolves with the address. Left out where they need nothing. */
  readonly relay?: (load: Load) => Promise<string>
  /** Opens one copy of the map. `address` is what `relay` resolved with, or else what the first copy announced. */
  readonly open: (load: Load, address: string) => Promise<Copy>
}

/** One copy of the map, in a program of its own. */
export interface Copy {
  /** What another copy needs to find this one; empty where there is a relay. */
  readonly address: string
  set(key: string, value: string): void
  get(key: string): unknown
  size(): number
  /** Calls back with the key of each change of another copy, once its value can be read. */
  onChange(listener: (key: string) => void): void
  disconnect(): Promise<void>
  reconnect(): Promise<void>
}

/** Imports a package from the folder where the contenders are installed. Nothing is known of its types. */
export type Load = (name: string) => Promise<Record<string, never>>
