/** The identity of a peer on the network. Core does not look into it. With libp2p: the text form of its Ed25519 peer id. */
export type PeerId = string

/** One change of a storage batch. */
export type StorageOperation =
  | { readonly type: 'put'; readonly key: string; readonly bytes: Uint8Array }
  | { readonly type: 'delete'; readonly key: string }

/**
 * A small durable store of blobs. Core stores everything through this port.
 *
 * Promises every adapter makes, tested by the conformance suite of `@gossipgrid/testing`:
 * - a batch is atomic: after a crash all of it is there, or nothing of it;
 * - batches apply in the order of the calls, and after a crash or power cut a prefix of them is there, so a durable
 *   batch makes every earlier batch durable too;
 * - with `durable: true` the promise resolves only when the batch survives a power cut (memory: `persistent` is false);
 * - bytes given to `write` are not kept by reference after the promise has settled, and bytes returned by `read` belong
 *   to the caller.
 *
 * Keys are ASCII, at most 200 characters, and sort by code unit. Errors are `GridError` with a code that starts with
 * `STORAGE_`.
 */
export interface Storage {
  /** False if nothing survives the end of the program. */
  readonly persistent: boolean
  /** Why a store that should be persistent keeps its data in memory, in words for people. */
  readonly lapse?: string | undefined
  /** The blob under `key`, or undefined. Rejects with `STORAGE_DAMAGED` when the store knows that it is unreadable. */
  read(key: string): Promise<Uint8Array | undefined>
  /** Stores a batch. Rejects with a code that starts with `STORAGE_`. */
  write(batch: readonly StorageOperation[], options: { readonly durable: boolean }): Promise<void>
  /** All keys that start with `prefix`, sorted. */
  list(prefix: string): Promise<string[]>
  /** Waits for writes under way; idempotent. */
  close(): Promise<void>
}

/** Best-effort broadcast to all peers of the grid: may lose, repeat and reorder. */
export interface Broadcast {
  /**
   * Resolves when the frame has been handed to the neighbours and their send buffers have room again, which is the
   * only back-pressure there is. With no neighbour it resolves and the frame is gone. Never rejects for a lost frame.
   */
  publish(bytes: Uint8Array): Promise<void>
}

/** Reliable, ordered messages to one connected neighbour. */
export interface Streams {
  /**
   * Resolves when the message is in the send buffer and that has room again. Messages arrive whole, in order, once, or
   * the neighbour is reported as disconnected. Rejects with `NETWORK_NOT_CONNECTED` when there is no connection.
   */
  send(to: PeerId, bytes: Uint8Array): Promise<void>
}

/** Frames straight to neighbours, each neighbour's on a stream of its own, so that they never wait behind messages. */
export interface Direct {
  /**
   * Sends a frame to each of these neighbours. Resolves when the frame and those before it have left, or after a moment for
   * neighbours that read slowly: with the neighbours that do not get it, because they are not connected or because too much
   * is queued for them. Frames arrive whole, in order and at most once. Copies `bytes`. Rejects with `MESSAGE_TOO_LARGE`
   * above the limit of a broadcast.
   */
  sendDirect(to: readonly PeerId[], bytes: Uint8Array): Promise<readonly PeerId[]>
}

/** Events of the network. Handlers must not throw, and are called one at a time. */
export interface NetworkEvents {
  /** A neighbour can be reached by `send`. Called once until `disconnected`. */
  connected(neighbour: PeerId): void
  disconnected(neighbour: PeerId): void
  /** A message of a stream. */
  message(from: PeerId, bytes: Uint8Array): void
  /** A frame that this neighbour sent with `sendDirect`. */
  direct(from: PeerId, bytes: Uint8Array): void
  /** A broadcast. `from` is its author, which its signature proves, not the peer that passed it on. */
  broadcast(author: PeerId, bytes: Uint8Array): void
  /** A peer broke the protocol of connections, or has no right to connect. It was disconnected; `refuse` keeps it out. */
  hostile(neighbour: PeerId, reason: string): void
  /** `Network.addresses` has changed. */
  addresses?(): void
  /** How many other members this peer knows of: the more, the longer the time over which redials of a lost neighbour spread. */
  members?(): number
}

/** The network as one grid sees it. */
export interface Network extends Broadcast, Direct, Streams {
  /** The peer id, which is the public key. */
  readonly peerId: PeerId
  /** Opens listeners and starts discovery. Rejects with `NETWORK_PORT_TAKEN` or `NETWORK_START_FAILED`. */
  start(events: NetworkEvents): Promise<void>
  /** Addresses that another peer can join by, each ending in the peer id. */
  addresses(): string[]
  /** Connects to an address. Rejects with `NETWORK_DIAL_FAILED` or `NETWORK_BAD_ADDRESS`. */
  dial(address: string, options?: { readonly signal?: AbortSignal }): Promise<PeerId>
  /** Closes every connection to a neighbour and dials it again, because nothing arrives on them any more. */
  redial(neighbour: PeerId): Promise<void>
  /** Closes every connection to a neighbour and refuses it for a while. */
  refuse(neighbour: PeerId, refusedMs: number): Promise<void>
  /**
   * Cuts this peer off, or connects it again. While it is cut off, it has no connections, makes none and accepts none. When it
   * is connected again, the peers that it lost are dialled at once. A network without this can only be stopped.
   */
  setOnline?(online: boolean): void
  /** This peer was asleep and is back. Neighbours that it lost are dialled at once. */
  wake?(): void
  /** Bytes sent and received on sockets since the start, for status and metrics. */
  traffic(): { readonly sentBytes: number; readonly receivedBytes: number }
  /** Closes connections and listeners; idempotent. */
  stop(): Promise<void>
}
