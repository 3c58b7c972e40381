import { GridError, READ_TIMEOUT_MS, decodeValue } from '@gossipgrid/core'
import { onAbort } from '../../flow/on-abort.ts'
import type { ReachedOptions } from '../../reads/after-token.ts'
import { aborted, checkAborted } from '../../runtime/waiting.ts'
import { covers, notCovered } from '../covering.ts'
import type { Grant, May } from '../grants.ts'
import {
  GUEST_REQUESTS_MAX,
  GUEST_REQUESTS_WAITING_MAX,
  GUEST_REQUESTS_WAITING_MAX_BYTES,
  GUEST_REQUEST_MAX_MS,
} from '../guest-limits.ts'
import type { GuestMessage, MemberMessage } from '../messages.ts'

/** A member is given less time than the caller waits, so that it can say why it did not manage. */
const MARGIN_MAX_MS = 500
const COST_BYTES = 256

/** How a request is sent. */
export interface Sending {
  readonly timeoutMs: number
  /** It was sent before, on another connection. */
  readonly again: boolean
}

interface Asked {
  readonly encode: (sending: Sending) => Uint8Array
  readonly sizeBytes: number
  readonly endMs: number
  readonly done: PromiseWithResolvers<unknown>
  wasSent: boolean
  /** Its caller waits no more, and its answer is yet to come. */
  isOver: boolean
}

export interface GuestRequestsDeps {
  readonly closing: AbortSignal
  /** What a write is dated with now. */
  date(): number
}

/**
 * What a guest asks of partitioned maps, through the member that it is connected to. Without a connection, requests wait for one. What was not
 * answered when a connection ended is sent again at the next one.
 */
export class GuestRequests {
  /** What the pass allows, as far as the guest knows. */
  grants: readonly Grant[] | undefined
  readonly #deps: GuestRequestsDeps
  readonly #underWay = new Map<number, Asked>()
  #queue: Asked[] = []
  #waitingBytes = 0
  #lastNumber = 0
  #send: ((message: GuestMessage) => void) | undefined
  #underWayMax = 0

  constructor(deps: GuestRequestsDeps) {
    this.#deps = deps
    onAbort(deps.closing, () => this.#closed())
  }

  date(): number {
    return this.#deps.date()
  }

  /** Throws `FORBIDDEN` for what the pass does not cover, as far as the guest knows. */
  check(may: May, map: string, key: string): void {
    if (this.grants !== undefined && !covers(this.grants, may, map, key)) throw notCovered(map)
  }

  /**
   * Resolves to what a member replies. Rejects with what a member refuses it with, with `NETWORK_NOT_CONNECTED` if no member is reached in
   * time, with `OWNERS_UNREACHABLE` if one does not reply in time, and with `BACKLOG_FULL`, `ABORTED`, `CLOSED`.
   */
  async ask(
    encode: (sending: Sending) => Uint8Array,
    contentBytes: number,
    { signal, timeoutMs = READ_TIMEOUT_MS }: ReachedOptions,
  ): Promise<unknown> {
    checkAborted(signal)
    if (this.#deps.closing.aborted) throw closed()
    const sizeBytes = contentBytes + COST_BYTES
    const waiting = this.#queue.length + this.#underWay.size
    if (waiting >= GUEST_REQUESTS_WAITING_MAX || this.#waitingBytes + sizeBytes > GUEST_REQUESTS_WAITING_MAX_BYTES)
      throw new GridError('BACKLOG_FULL', `${waiting} requests wait for a member: await some first`)
    const done = Promise.withResolvers<unknown>()
    const asked: Asked = {
      encode,
      sizeBytes,
      endMs: performance.now() + timeoutMs,
      done,
      wasSent: false,
      isOver: false,
    }
    this.#waitingBytes += sizeBytes
    this.#queue.push(asked)
    const timer = setTimeout(() => this.#giveUp(asked, late(asked, timeoutMs)), timeoutMs)
    const off = signal === undefined ? undefined : onAbort(signal, () => this.#giveUp(asked, aborted(signal)))
    this.#pump()
    try {
      return await done.promise
    } finally {
      clearTimeout(timer)
      off?.()
    }
  }

  /** A member serves this guest, also where it has another pass now. `underWayMax`: undefined if it knows no such requests. */
  welcome(underWayMax: number | undefined, send: (message: GuestMessage) => void): void {
    this.#send = send
    this.#underWayMax = Math.min(GUEST_REQUESTS_MAX, underWayMax ?? 0)
    this.#pump()
  }

  /** The guest is of another subject now: what the former one has asked for is not for this one. */
  refuseAll(): void {
    for (const asked of [...this.#queue])
      this.#giveUp(asked, new GridError('PASS_INVALID', 'the pass is for another subject now'))
  }

  /** The connection has ended. */
  ended(): void {
    this.#send = undefined
    const unanswered = [...this.#underWay.values()]
    this.#underWay.clear()
    for (const asked of unanswered) if (asked.isOver) this.#waitingBytes -= asked.sizeBytes
    this.#queue = [...unanswered.filter(({ isOver }) => !isOver), ...this.#queue]
  }

  replied({ code, number, reply, text }: Extract<MemberMessage, { type: 'reply' }>): void {
    const asked = this.#underWay.get(number)
    if (asked === undefined) return
    this.#underWay.delete(number)
    this.#waitingBytes -= asked.sizeBytes
    if (code !== '') asked.done.reject(new GridError(code as GridError['code'], text))
    else asked.done.resolve(reply === undefined ? undefined : decodeValue(reply))
    this.#pump()
  }

  #pump(): void {
    const send = this.#send
    if (send !== undefined && this.#underWayMax === 0)
      for (const asked of [...this.#queue])
        this.#giveUp(asked, new GridError('FORBIDDEN', 'the member runs a version without partitioned maps for guests'))
    while (send !== undefined && this.#underWay.size < this.#underWayMax) {
      const asked = this.#queue.shift()
      if (asked === undefined) return
      const leftMs = asked.endMs - performance.now()
      const timeoutMs = Math.floor(Math.max(1, leftMs - Math.min(MARGIN_MAX_MS, leftMs / 4)))
      try {
        const request = asked.encode({ timeoutMs: Math.min(GUEST_REQUEST_MAX_MS, timeoutMs), again: asked.wasSent })
        asked.wasSent = true
        this.#underWay.set(++this.#lastNumber, asked)
        send({ type: 'ask', number: this.#lastNumber, request })
      } catch (error) {
        this.#waitingBytes -= asked.sizeBytes
        asked.done.reject(error)
      }
    }
  }

  #giveUp(asked: Asked, error: GridError): void {
    asked.isOver = true
    asked.done.reject(error)
    const waits = this.#queue.indexOf(asked)
    if (waits < 0) return
    this.#queue.splice(waits, 1)
    this.#waitingBytes -= asked.sizeBytes
  }

  #closed(): void {
    this.#send = undefined
    for (const asked of [...this.#queue.splice(0), ...this.#underWay.values()]) asked.done.reject(closed())
    this.#underWay.clear()
  }
}

function closed(): GridError {
  return new GridError('CLOSED', 'the grid was closed before a member replied')
}

/** The error for what has waited too long. */
function late(asked: Asked, timeoutMs: number): GridError {
  return asked.wasSent
    ? new GridError('OWNERS_UNREACHABLE', `no member has replied within ${timeoutMs} ms; a write may still arrive`)
    : new GridError('NETWORK_NOT_CONNECTED', `no member was reached within ${timeoutMs} ms`)
}
