import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { encodeFrame } from '../frame.ts'
import { GuestStream } from './guest-stream.ts'

/** One end of a stream. What is sent comes to the other end at once, unless it is cut. */
class StreamEnd extends EventTarget {
  readonly writableNeedsDrain = false
  other: StreamEnd | undefined
  sent = 0
  readStatus = 'readable'
  readonly #unread: Uint8Array[] = []

  pause(): void {
    this.readStatus = 'paused'
  }

  resume(): void {
    this.readStatus = 'readable'
    for (const bytes of this.#unread.splice(0)) this.take(bytes)
  }

  take(bytes: Uint8Array): void {
    if (this.readStatus === 'paused') this.#unread.push(bytes)
    else this.dispatchEvent(Object.assign(new Event('message'), { data: bytes }))
  }

  send(bytes: Uint8Array): boolean {
    this.sent += 1
    this.other?.take(bytes)
    return true
  }
}

class Side {
  readonly end = new StreamEnd()
  readonly stream: GuestStream
  readonly messages: Uint8Array[] = []
  readonly ends: string[] = []

  constructor(side: 'guest' | 'member') {
    const connection = { remotePeer: 'other', abort: () => undefined }
    this.stream = new GuestStream(connection as never, this.end as never, 1000, { side, trusted: () => undefined })
    this.stream.listen({ message: (bytes) => this.messages.push(bytes), ended: (reason) => this.ends.push(reason) })
  }
}

let member: Side
let guest: Side

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] })
  member = new Side('member')
  guest = new Side('guest')
  member.end.other = guest.end
  guest.end.other = member.end
})

afterEach(() => {
  for (const { stream } of [member, guest]) stream.end('the test is over')
  vi.useRealTimers()
  vi.restoreAllMocks()
})

it('lasts while nothing is said, with a few signs a minute that no application sees', async () => {
  await vi.advanceTimersByTimeAsync(600_000)
  expect([...member.ends, ...guest.ends]).toEqual([])
  expect([...member.messages, ...guest.messages]).toEqual([])
  expect(member.end.sent).toBe(30)
  expect(guest.end.sent).toBe(30)
  await guest.stream.send(Uint8Array.of(7))
  await vi.advanceTimersByTimeAsync(0)
  expect(member.messages).toEqual([Uint8Array.of(7)])
})

it('lasts at a guest whose timers stand still: it answers as signs come', async () => {
  guest.stream.end('its timers are gone')
  vi.spyOn(globalThis, 'setInterval').mockReturnValueOnce(0 as never)
  guest = new Side('guest')
  guest.end.other = member.end
  member.end.other = guest.end
  await vi.advanceTimersByTimeAsync(600_000)
  expect(guest.end.sent).toBe(30)
  expect(member.ends).toEqual([])
})

it('lasts while a large message is under way, in which no sign has room', async () => {
  const header = Uint8Array.of(0, 0, 0, 11)
  for (const bytes of [header, ...Array.from({ length: 11 }, () => Uint8Array.of(7))]) {
    guest.end.dispatchEvent(Object.assign(new Event('message'), { data: bytes }))
    member.end.other = undefined
    await vi.advanceTimersByTimeAsync(bytes === header ? 5000 : 5300)
  }
  expect([...member.ends, ...guest.ends]).toEqual([])
  expect(guest.messages).toEqual([new Uint8Array(11).fill(7)])
})

it('ends within a minute at the member when nothing of the guest arrives any more', async () => {
  guest.end.other = undefined
  await vi.advanceTimersByTimeAsync(60_000)
  expect(member.ends).toEqual(['nothing comes from it any more'])
})

it('ends within a minute at both when nothing of the member arrives any more', async () => {
  member.end.other = undefined
  await vi.advanceTimersByTimeAsync(60_000)
  expect([member.ends, guest.ends]).toEqual([['nothing comes from it any more'], ['nothing comes from it any more']])
})

it('gives nothing while it is paused, however long that is, and lasts', async () => {
  const large = encodeFrame(new Uint8Array(900))
  member.end.take(large.subarray(0, 50))
  member.stream.pause()
  await guest.stream.send(Uint8Array.of(7))
  await vi.advanceTimersByTimeAsync(600_000)
  expect(member.messages).toEqual([])
  expect([...member.ends, ...guest.ends]).toEqual([])
  guest.stream.end('it is done')
  member.stream.resume()
  await vi.advanceTimersByTimeAsync(30_000)
  expect(member.ends).toEqual([])
  await vi.advanceTimersByTimeAsync(60_000)
  expect(member.ends.length).toBe(1)
})
