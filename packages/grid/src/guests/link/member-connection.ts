import { GridError } from '@gossipgrid/core'
import { verifySignature } from '@gossipgrid/network/guest-dialler'
import type { GuestChannel } from '@gossipgrid/network/guest-dialler'
import { proofText } from '../member-proof.ts'
import { decodeMemberMessage, encodeGuestMessage } from '../messages.ts'
import type { GuestMessage, MemberMessage } from '../messages.ts'
import { passInvalid } from '../pass-text.ts'
import type { CarriedPass } from './pass-holder.ts'

export interface MemberConnectionEvents {
  /** A message of a member that has shown that it is one. */
  message(message: MemberMessage): void
  ended(error: GridError): void
}

/** The guest's end of a connection to a member. Before it shows its pass, the member has to show that it is one. */
export class MemberConnection {
  readonly #connection: GuestChannel
  readonly #selfId: string
  readonly #events: MemberConnectionEvents
  readonly #nonce = crypto.getRandomValues(new Uint8Array(32))
  #proof = Promise.withResolvers<Uint8Array>()
  #isProven = false
  #isOver = false
  #error: GridError | undefined

  constructor(connection: GuestChannel, selfId: string, events: MemberConnectionEvents) {
    this.#connection = connection
    this.#selfId = selfId
    this.#events = events
    this.#proof.promise.catch(() => undefined)
    connection.listen({ message: (bytes) => this.#onMessage(bytes), ended: (reason) => this.#ended(reason) })
  }

  get memberId(): string {
    return this.#connection.peerId
  }

  /** Shows the pass, once the member has signed with the key that the pass is signed with. Rejects with `PASS_INVALID`, `NETWORK_…`. */
  async enter(
    { content, text }: CarriedPass,
    enter: Omit<Extract<GuestMessage, { type: 'enter' }>, 'type' | 'pass'>,
  ): Promise<void> {
    await this.send({ type: 'hello', key: content.publicKey, nonce: this.#nonce })
    const signature = await this.#proof.promise
    const proof = proofText(this.memberId, this.#selfId, this.#nonce)
    if (!(await verifySignature(content.publicKey, proof, signature).catch(() => false)))
      throw passInvalid(`${this.memberId} is no member of the grid that has issued it`)
    this.#isProven = true
    this.#connection.trust()
    await this.send({ type: 'enter', pass: text, ...enter })
  }

  async send(message: GuestMessage): Promise<void> {
    await this.#connection.send(encodeGuestMessage(message))
  }

  close(): Promise<void> {
    return this.#connection.close()
  }

  /** Ends the connection at once, because of what the member has sent. */
  end(error: GridError): void {
    this.#error ??= error
    this.#connection.end(error.message)
  }

  #onMessage(bytes: Uint8Array): void {
    if (this.#isOver) return
    try {
      const message = decodeMemberMessage(bytes)
      if (message.type === 'end') this.#error = new GridError(message.code as GridError['code'], message.text)
      else if (message.type === 'proof') this.#proof.resolve(message.signature)
      else if (this.#isProven) this.#events.message(message)
    } catch (error) {
      this.end(error instanceof GridError ? error : new GridError('MESSAGE_MALFORMED', String(error)))
    }
  }

  #ended(reason: string): void {
    if (this.#isOver) return
    this.#isOver = true
    const error = this.#error ?? new GridError('NETWORK_NOT_CONNECTED', reason)
    this.#proof.reject(error)
    this.#events.ended(error)
  }
}
