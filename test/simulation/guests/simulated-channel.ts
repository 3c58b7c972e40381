import type { GuestChannel } from '@gossipgrid/network/guest-dialler'
import type { VirtualTime } from './virtual-time.ts'

type GuestChannelEvents = Parameters<GuestChannel['listen']>[0]

/** What a simulation hears of a channel. */
export interface ChannelWitness {
  /** A message leaves, and arrives. What is on its way when the connection is lost never arrives. */
  sent(from: 'guest' | 'member', bytes: Uint8Array): void
  arrived(from: 'guest' | 'member', bytes: Uint8Array): void
}

/** A connection between a guest and a member, with a delay, that can be lost at any moment. */
export class SimulatedChannel {
  readonly guest: ChannelEnd
  readonly member: ChannelEnd
  readonly witness: ChannelWitness
  readonly #time: VirtualTime
  readonly #delayMs: number
  #isLost = false

  constructor(
    time: VirtualTime,
    ids: { readonly guest: string; readonly member: string },
    delayMs: number,
    witness: ChannelWitness,
  ) {
    this.#time = time
    this.#delayMs = delayMs
    this.witness = witness
    this.guest = new ChannelEnd(this, 'guest', ids.member)
    this.member = new ChannelEnd(this, 'member', ids.guest)
  }

  get isLost(): boolean {
    return this.#isLost
  }

  /** Loses the connection: nothing arrives any more. */
  lose(reason: string): void {
    if (this.#isLost) return
    this.#isLost = true
    this.guest.lost(reason)
    this.member.lost(reason)
  }

  carry(from: 'guest' | 'member', bytes: Uint8Array): void {
    if (this.#isLost) return
    const copy = bytes.slice()
    this.witness.sent(from, copy)
    this.#later(() => {
      this.witness.arrived(from, copy)
      this[from === 'guest' ? 'member' : 'guest'].take(copy)
    })
  }

  /** Ends it once what was sent has arrived. */
  finish(reason: string): void {
    this.#later(() => this.lose(reason))
  }

  #later(run: () => void): void {
    this.#time.timer(() => {
      if (!this.#isLost) run()
    }, this.#delayMs)
  }
}

class ChannelEnd implements GuestChannel {
  readonly peerId: string
  readonly #channel: SimulatedChannel
  readonly #side: 'guest' | 'member'
  readonly #waiting: Uint8Array[] = []
  #events: GuestChannelEvents | undefined
  #endReason: string | undefined
  #isPaused = false

  constructor(channel: SimulatedChannel, side: 'guest' | 'member', otherId: string) {
    this.#channel = channel
    this.#side = side
    this.peerId = otherId
  }

  listen(events: GuestChannelEvents): void {
    this.#events = events
    for (const bytes of this.#waiting.splice(0)) events.message(bytes)
    if (this.#endReason !== undefined) events.ended(this.#endReason)
  }

  trust(): void {}

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
    for (const bytes of this.#waiting.splice(0)) this.#events?.message(bytes)
  }

  async send(bytes: Uint8Array): Promise<void> {
    if (this.#endReason !== undefined) throw new Error(this.#endReason)
    this.#channel.carry(this.#side, bytes)
  }

  async close(): Promise<void> {
    this.#channel.finish('it was closed')
  }

  end(reason: string): void {
    this.#channel.lose(reason)
  }

  take(bytes: Uint8Array): void {
    if (this.#events === undefined || this.#isPaused) this.#waiting.push(bytes)
    else this.#events.message(bytes)
  }

  lost(reason: string): void {
    if (this.#endReason !== undefined) return
    this.#endReason = reason
    this.#events?.ended(reason)
  }
}
