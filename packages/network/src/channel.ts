import { Lock } from './lock.ts'

/** The names that peers of one grid meet by. Peers of different channels neither find nor understand each other. */
export interface Channel {
  /** The gossip topic; opaque. */
  readonly topic: string
  /** The name of the stream protocol, e.g. `/gossipgrid/<hash>/1`; opaque. */
  readonly protocol: string
  /** Keeps strangers out of a private grid. Without it, every peer that knows the names can join. */
  readonly lock?: Lock
}

/** The stream protocol of frames that go straight to a neighbour. */
export function directProtocol(channel: Channel): string {
  return `${channel.protocol}/direct`
}

/**
 * The channel of a grid: derived from its name, so that grids never mix, and for a private grid from its secret as well
 * (HKDF with SHA-256, RFC 5869). Without the secret, a stranger cannot even compute the topic.
 */
export async function deriveChannel(name: string, secret?: string): Promise<Channel> {
  if (secret === undefined) {
    const digest = await crypto.subtle.digest('SHA-256', utf8(`gossipgrid ${name}`))
    return namedBy(new Uint8Array(digest))
  }
  const derive = (purpose: string): Promise<Uint8Array<ArrayBuffer>> => deriveKey(name, secret, purpose)
  const { topic, protocol } = namedBy(await derive('channel'))
  return { topic, protocol, lock: await Lock.from(await derive('membership'), await derive('frames')) }
}

/** 32 bytes that only members can compute, others for each purpose (HKDF with SHA-256, RFC 5869). */
export async function deriveKey(name: string, secret: string, purpose: string): Promise<Uint8Array<ArrayBuffer>> {
  const material = await crypto.subtle.importKey('raw', utf8(secret), 'HKDF', false, ['deriveBits'])
  const salt = utf8(`gossipgrid private grid ${name}`)
  const use = utf8(purpose)
  return new Uint8Array(
    await crypto.subtle.deriveBits({ name: 'HKDF', hash: 'SHA-256', salt, info: use }, material, 256),
  )
}

/** The first half of a hash as hexadecimal digits. */
export function nameOf(hash: Uint8Array): string {
  return Array.from(hash.subarray(0, 16), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

function namedBy(hash: Uint8Array): Channel {
  const text = nameOf(hash)
  return { topic: `gossipgrid/${text}`, protocol: `/gossipgrid/${text}/1` }
}

function utf8(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text) as Uint8Array<ArrayBuffer>
}
