import { Lock } from './lock.ts'

/** One way to meet: peers of one channel find each other and understand each other, and nobody else. */
export interface Channel {
  /** The gossip topic; opaque. */
  readonly topic: string
  /** The name of the stream protocol, e.g. `/gossipgrid/<hash>/1`; opaque. */
  readonly protocol: string
  /** What keeps strangers out of a private grid's channel; left out, the channel is open to whoever knows its names. */
  readonly lock?: Lock
}

/** The stream protocol of frames that go straight to a neighbour. */
export function directProtocol(channel: Channel): string {
  return `${channel.protocol}/direct`
}

/**
 * The channel of a grid: derived from its name, so that grids never mix, and for a private grid from its secret as well
 * (HKDF with SHA-256, RFC 5869), so that whoever lacks the secret cannot even compute the topic.
 */
export async function deriveChannel(name: string, secret?: string): Promise<Channel> {
  if (secret === undefined) {
    const digest = await crypto.subtle.digest('SHA-256', utf8(`gossipgrid ${name}`))
    return namedBy(new Uint8Array(digest))
  }
  const material = await crypto.subtle.importKey('raw', utf8(secret), 'HKDF', false, ['deriveBits'])
  const derive = async (purpose: string): Promise<Uint8Array<ArrayBuffer>> => {
    const salt = utf8(`gossipgrid private grid ${name}`)
    const bits = await crypto.subtle.deriveBits(
      { name: 'HKDF', hash: 'SHA-256', salt, info: utf8(purpose) },
      material,
      256,
    )
    return new Uint8Array(bits)
  }
  const { topic, protocol } = namedBy(await derive('channel'))
  return { topic, protocol, lock: await Lock.from(await derive('membership'), await derive('frames')) }
}

function namedBy(hash: Uint8Array): Channel {
  const text = Array.from(hash.subarray(0, 16), (byte) => byte.toString(16).padStart(2, '0')).join('')
  return { topic: `gossipgrid/${text}`, protocol: `/gossipgrid/${text}/1` }
}

function utf8(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text) as Uint8Array<ArrayBuffer>
}
