import type { Network, NetworkEvents, PeerId } from '@gossipgrid/core'
import { expect, vi } from 'vitest'

/** How the suite creates the adapter under test. */
export interface NetworkHarness {
  /** A new network of the same grid, not started. The suite stops every network it makes. */
  network(options: { readonly join: readonly string[] }): Promise<Network>
  /** An address in the adapter's own form at which no peer answers. */
  readonly unreachableAddress: string
}

/** A started network with everything it has reported. */
export interface RecordedNetwork {
  readonly network: Network
  readonly connected: PeerId[]
  readonly disconnected: PeerId[]
  readonly messages: { readonly from: PeerId; readonly bytes: Uint8Array }[]
  readonly frames: { readonly from: PeerId; readonly bytes: Uint8Array }[]
  readonly broadcasts: { readonly author: PeerId; readonly bytes: Uint8Array }[]
  readonly hostile: PeerId[]
}

/** Starts the network and records its reports. */
export async function recordNetwork(network: Network): Promise<RecordedNetwork> {
  const recorded: RecordedNetwork = {
    network,
    connected: [],
    disconnected: [],
    messages: [],
    frames: [],
    broadcasts: [],
    hostile: [],
  }
  const events: NetworkEvents = {
    connected: (neighbour) => void recorded.connected.push(neighbour),
    disconnected: (neighbour) => void recorded.disconnected.push(neighbour),
    message: (from, bytes) => void recorded.messages.push({ from, bytes }),
    direct: (from, bytes) => void recorded.frames.push({ from, bytes }),
    broadcast: (author, bytes) => void recorded.broadcasts.push({ author, bytes }),
    hostile: (neighbour) => void recorded.hostile.push(neighbour),
  }
  await network.start(events)
  return recorded
}

/** Waits until `condition` holds; fails after 60 s. */
export async function eventually(condition: () => boolean, what: string): Promise<void> {
  await vi.waitFor(() => expect(condition(), what).toBe(true), { timeout: 60_000, interval: 10 })
}

/** Publishes until `receiver` has one of the frames: single ones may be lost, above all in the first second. */
export async function publishUntil(sender: Network, receiver: RecordedNetwork): Promise<void> {
  const before = receiver.broadcasts.length
  for (let attempt = 0; attempt < 600 && receiver.broadcasts.length === before; attempt += 1) {
    await sender.publish(Uint8Array.of(250, attempt))
    await pause(100)
  }
  expect(receiver.broadcasts.length, 'broadcasts received').toBeGreaterThan(before)
}

/** What each part of the suite is handed. */
export interface Suite {
  /** A started network that joins by the given ones. */
  start(...join: RecordedNetwork[]): Promise<RecordedNetwork>
  /** Two connected networks. */
  pair(): Promise<[RecordedNetwork, RecordedNetwork]>
  readonly harness: NetworkHarness
}

/** `sizeBytes` bytes, at least four, that begin with a number. */
export function numbered(number: number, sizeBytes: number): Uint8Array {
  const bytes = new Uint8Array(Math.max(4, sizeBytes)).fill(number % 256)
  new DataView(bytes.buffer).setUint32(0, number)
  return bytes
}

export function pause(waitMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, waitMs))
}
