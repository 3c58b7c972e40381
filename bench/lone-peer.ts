import { openPeer } from '@gossipgrid/core'
import type { Effect, Input, Instant, Partition, Peer } from '@gossipgrid/core'

/**
 * Core alone: a peer whose store says at once that everything is on disk, and whose network accepts everything at once.
 */
export class LonePeer {
  readonly peer: Peer
  readonly partition: Partition
  /** Called with every message that the peer broadcasts. */
  onBroadcast: ((bytes: Uint8Array) => void) | undefined

  constructor(peerId: string) {
    let seed = 1
    const random = { uint32: () => (seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0) }
    const options = { peerId, gridName: 'bench', random, persistent: true, software: 'bench' }
    this.peer = openPeer(options).finish(clocks())
    const descriptor = { name: 'users', kind: 'map', mode: 'replicated', partitions: 1 } as const
    this.partition = this.peer.open(descriptor).partitions[0]!
    this.step({ type: 'tick' }, clocks())
  }

  step(input: Input, now: Instant): void {
    let effects: readonly Effect[] = this.peer.step(input, now)
    while (effects.length > 0) {
      const next: Effect[] = []
      for (const effect of effects) {
        if (effect.type === 'store') next.push(...this.peer.step({ type: 'stored', ticket: effect.ticket }, now))
        else if (effect.type === 'broadcast') {
          this.onBroadcast?.(effect.bytes)
          next.push(...this.peer.step({ type: 'broadcasted' }, now))
        }
      }
      effects = next
    }
  }
}

export function clocks(): Instant {
  return { wallMs: Date.now(), monotonicMs: performance.now() }
}
