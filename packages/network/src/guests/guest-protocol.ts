import { nameOf } from '../channel.ts'

/** The largest message between a guest and a member, in bytes: one value of the largest size, and what is said about it. */
export const GUEST_MESSAGE_MAX_BYTES: number = 2 * 1024 * 1024

/** The name of the protocol in which members of a grid serve guests. It shows nothing of the grid's secret. */
export async function guestProtocol(gridName: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(`gossipgrid guests of ${gridName}`))
  return `/gossipgrid/${nameOf(new Uint8Array(digest))}/guest/1`
}
