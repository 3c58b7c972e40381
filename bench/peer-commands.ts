import type { Query } from 'gossipgrid'
import type { City } from '../packages/cli/src/demo/story/cities.ts'

/** The commands of the parent to a forked peer, each with its argument and its result. Times are those of `nowMs`. */
export interface PeerCommands {
  /** `secret` is '' for an open grid, `directory` '' for a peer that keeps everything in memory. */
  open(options: { directory: string; join: readonly string[]; secret: string }): {
    peerId: string
    addresses: readonly string[]
    atMs: number
  }
  /** Resolves when the first exchange with another peer is complete. */
  ready(options: object): { atMs: number }
  /** Starts to count changes of keys with a prefix; `seen` resolves when `count` were shown. One count at a time. */
  watch(options: { prefix: string; count: number; keys: boolean }): object
  seen(options: object): { atMs: number; times: Record<string, number> }
  /** Separate `set` calls. All are made before one is awaited. */
  burst(options: { prefix: string; count: number }): { startMs: number; calledMs: number; durableMs: number }
  /** Separate `set` calls, none of them awaited, with a turn of the event loop after each 50. */
  stream(options: { prefix: string; count: number }): { startMs: number }
  /** Separate `set` calls, each awaited before the next. */
  awaited(options: { prefix: string; count: number }): { startMs: number; durableMs: number }
  /** One `set` at a time with pauses. Returns the time of each. */
  singles(options: { prefix: string; count: number; gapMs: number }): { times: Record<string, number> }
  /** Overwrites existing keys of a burst; resolves when durable. */
  overwrite(options: { prefix: string; first: number; count: number }): object
  /** Resolves when the map holds that many entries. */
  size(options: { count: number }): { atMs: number }
  /** Cuts the connection to peers, until `unblock` allows it again. */
  block(options: { peerIds: readonly string[] }): object
  unblock(options: object): { atMs: number }
  /** Starts a stall clock, or stops it: twenty of them would take most of two cores. */
  watchStalls(options: { on: boolean }): object
  /** Writes so many cities to a partitioned map, with indexes on the name and on the population. */
  fillCities(options: { count: number }): object
  /** Asks the owners of that map, a query at a time, and says how long each took. */
  askCities(options: { query: Query<City>; rows: number; count: number }): { times: readonly number[]; cpuMs: number }
  /** Resolves when owners have so many cities, and every partition is answered for. */
  citiesThere(options: { count: number }): object
  status(options: object): PeerStatus
  close(options: object): object
}

export interface PeerStatus {
  readonly entries: number
  readonly fingerprint: string
  readonly sessions: number
  readonly undurableBytes: number
  readonly broadcastBytes: number
  readonly neighbours: number
  readonly wireBytes: number
  /** When the last neighbour was connected. */
  readonly connectedAtMs: number
  readonly rssBytes: number
  /** See `StallClock`; of the last one that was started, 0 if there was none. */
  readonly maxStallMs: number
  readonly maxStallCpuMs: number
  readonly cpuMs: number
  /** Batches that the store has synced, and frames that were sent, since opening. */
  readonly stored: number
  readonly framesSent: number
}

export type CommandName = keyof PeerCommands
export type Argument<Name extends CommandName> = Parameters<PeerCommands[Name]>[0]
export type Answer<Name extends CommandName> = ReturnType<PeerCommands[Name]>

/** From parent to child. */
export interface Request {
  readonly id: number
  readonly name: CommandName
  readonly argument: unknown
}

/** From child to parent. */
export interface Response {
  readonly id: number
  readonly answer?: unknown
  readonly error?: string
}

/** The monotonic clock of the machine, which all its programs share. */
export function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}
