import { encodeValue } from '@gossipgrid/core'
import { openGuestDialler } from '@gossipgrid/network/guest-dialler'
import type { GuestChannel, GuestDialler } from '@gossipgrid/network/guest-dialler'
import type { Grid } from '../grid.ts'
import { decodeMemberMessage, encodeGuestMessage } from '../guests/messages.ts'
import type { GuestMessage, MemberMessage, WriteAnswer } from '../guests/messages.ts'
import { readPass } from '../guests/pass-text.ts'
import { until } from './test-grids.ts'

/** By which a guest names its writes, unless a test says otherwise. */
export const RAW_GUEST: string = 'ab'.repeat(16)

const diallers: GuestDialler[] = []

export async function closeRawGuests(): Promise<void> {
  await Promise.all(diallers.splice(0).map((dialler) => dialler.stop()))
}

/** A program that speaks the protocol of guests, and does with it what it likes. */
export class RawGuest {
  readonly connection: GuestChannel
  readonly received: MemberMessage[] = []
  /** All bytes that it was sent. */
  text = ''
  ended = ''

  constructor(connection: GuestChannel) {
    this.connection = connection
    connection.listen({
      message: (bytes) => {
        this.text += Buffer.from(bytes).toString('latin1')
        this.received.push(decodeMemberMessage(bytes))
      },
      ended: (reason) => (this.ended = reason),
    })
  }

  static async dial(member: Grid): Promise<RawGuest> {
    const dialler = await openGuestDialler({ gridName: 'shop' })
    diallers.push(dialler)
    return new RawGuest(await dialler.dial(member.status().guests!.addresses[0]!, AbortSignal.timeout(20_000)))
  }

  static async entered(member: Grid, pass: string, guest: string = RAW_GUEST): Promise<RawGuest> {
    const raw = await RawGuest.dial(member)
    await raw.send({ type: 'hello', key: readPass(pass).publicKey, nonce: new Uint8Array(32) })
    await raw.send({ type: 'enter', pass, guest, cursors: new Map() })
    raw.connection.trust()
    await raw.until('caught-up')
    return raw
  }

  send(message: GuestMessage): Promise<void> {
    return this.connection.send(encodeGuestMessage(message))
  }

  sendAny(message: unknown): Promise<void> {
    return this.connection.send(encodeValue(message, 2 * 1024 * 1024))
  }

  async until(type: MemberMessage['type']): Promise<MemberMessage> {
    await until(() => this.received.some((each) => each.type === type) || this.ended !== '', type)
    const found = this.received.find((each) => each.type === type)
    if (found === undefined) throw new Error(`ended: ${this.ended} ${JSON.stringify(this.received.at(-1))}`)
    return found
  }

  async isSentAway(): Promise<boolean> {
    await until(() => this.ended !== '', 'the end')
    return true
  }

  /** All answers so far, once there are so many. */
  async answers(count: number): Promise<WriteAnswer[]> {
    const all = (): WriteAnswer[] => this.received.flatMap((each) => (each.type === 'answers' ? each.answers : []))
    await until(() => all().length >= count || this.ended !== '', 'answers')
    return all()
  }
}
