import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { openGuestDialler } from '@gossipgrid/network/guest-dialler'
import type { GuestChannel, GuestDialler } from '@gossipgrid/network/guest-dialler'
import { openGrid } from 'gossipgrid'
import type { Grid } from 'gossipgrid'
import { decodeMemberMessage, encodeGuestMessage } from '../packages/grid/src/guests/messages.ts'
import type { GuestMessage } from '../packages/grid/src/guests/messages.ts'
import { readPass } from '../packages/grid/src/guests/pass-text.ts'
import { liveBytes } from './memory.ts'

/** What the bench asks of a process: to be the member, or to be all guests. */
export type GuestsRequest =
  | { readonly type: 'member'; readonly guests: number; readonly entries: number }
  | { readonly type: 'guests'; readonly address: string; readonly passes: readonly string[] }
  | { readonly type: 'cpu' | 'memory' }
  | { readonly type: 'write'; readonly value: number }
  /** Resolves when all guests have it. */
  | { readonly type: 'await'; readonly value: number }

export interface GuestsAnswer {
  readonly address?: string
  readonly passes?: readonly string[]
  readonly liveBytes?: number
  readonly rssBytes?: number
  readonly cpuMs?: number
  /** Wall time in milliseconds, to a fraction: of the write, or of its last arrival. */
  readonly atMs?: number
  /** Guests whose connections have ended. */
  readonly lost?: number
}

const NAME = 'bench guests'
/** Guests that connect at a time. */
const AT_A_TIME = 20

let grid: Grid | undefined
const guests: LightGuest[] = []

/** A program that speaks the protocol of guests and keeps nothing: a thousand grids would need more than one machine. */
class LightGuest {
  readonly #channel: GuestChannel
  readonly #caughtUp = Promise.withResolvers<void>()
  #end = 'it ended'
  #isLost = false
  readonly #waiting = new Map<number, (atMs: number) => void>()
  readonly #seen = new Map<number, number>()
  rows = 0

  constructor(channel: GuestChannel) {
    this.#channel = channel
    this.#caughtUp.promise.catch(() => undefined)
    channel.listen({
      message: (bytes) => this.#onMessage(bytes),
      ended: (reason) => {
        this.#isLost = true
        this.#caughtUp.reject(new Error(`${reason}: ${this.#end}`))
        for (const resolve of this.#waiting.values()) resolve(0)
      },
    })
  }

  static async enter(dialler: GuestDialler, address: string, pass: string, index: number): Promise<LightGuest> {
    const guest = new LightGuest(await dialler.dial(address, AbortSignal.timeout(60_000)))
    await guest.#send({ type: 'hello', key: readPass(pass).publicKey, nonce: new Uint8Array(32) })
    const name = index.toString(16).padStart(32, '0')
    await guest.#send({ type: 'enter', pass, guest: name, cursors: new Map() })
    await guest.#caughtUp.promise
    return guest
  }

  get isLost(): boolean {
    return this.#isLost
  }

  /** Resolves with the time at which a value of the shared map came; with 0 if the connection is lost. */
  arrival(value: number): Promise<number> {
    const at = this.#isLost ? 0 : this.#seen.get(value)
    return at === undefined ? new Promise((resolve) => this.#waiting.set(value, resolve)) : Promise.resolve(at)
  }

  #send(message: GuestMessage): Promise<void> {
    return this.#channel.send(encodeGuestMessage(message))
  }

  #onMessage(bytes: Uint8Array): void {
    const message = decodeMemberMessage(bytes)
    // What members send is bounded before.
    if (message.type === 'proof') this.#channel.trust()
    if (message.type === 'caught-up') this.#caughtUp.resolve()
    if (message.type === 'end') this.#end = `${message.code} ${message.text}`
    if (message.type !== 'rows') return
    this.rows += message.rows.length
    if (message.map !== 'news') return
    const atMs = wallMs()
    for (const { rowKey } of message.rows) {
      const value = Number(rowKey)
      this.#seen.set(value, atMs)
      this.#waiting.get(value)?.(atMs)
    }
  }
}

async function member(count: number, entries: number): Promise<GuestsAnswer> {
  const ignore = (): void => undefined
  grid = await openGrid({
    ...{ name: NAME, secret: 'no secret of the guests of a bench', listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false },
    guests: { listen: ['/ip4/127.0.0.1/tcp/0/ws'], max: count },
    logger: { debug: ignore, info: ignore, warn: ignore, error: ignore },
  })
  const todos = grid.map('todos')
  const passes: string[] = []
  for (let i = 0; i < count; i++) {
    await todos.setMany(Array.from({ length: entries }, (_, k) => [`u${i}/${k}`, { title: `todo ${k}`, done: false }]))
    const grants = [{ map: 'todos', prefix: `u${i}/`, may: 'write' } as const, { map: 'news', may: 'read' } as const]
    passes.push(await grid.issuePass({ subject: `u${i}`, expiresInMs: 3_600_000, grants }))
  }
  return { passes, address: grid.status().guests!.addresses[0]! }
}

async function connect(address: string, passes: readonly string[]): Promise<GuestsAnswer> {
  for (let from = 0; from < passes.length; from += AT_A_TIME) {
    const entering = passes.slice(from, from + AT_A_TIME).map(async (pass, i) => {
      const dialler = await openGuestDialler({ gridName: NAME })
      return LightGuest.enter(dialler, address, pass, from + i)
    })
    guests.push(...(await Promise.all(entering)))
  }
  return {}
}

async function answer(request: GuestsRequest): Promise<GuestsAnswer> {
  switch (request.type) {
    case 'member':
      return member(request.guests, request.entries)
    case 'guests':
      return connect(request.address, request.passes)
    case 'cpu': {
      const { user, system } = process.cpuUsage()
      return { cpuMs: (user + system) / 1000 }
    }
    case 'memory':
      return { liveBytes: liveBytes(), rssBytes: process.memoryUsage.rss() }
    case 'write': {
      const atMs = wallMs()
      await grid!.map('news').set(String(request.value), 'news')
      return { atMs }
    }
    case 'await': {
      const all = await Promise.all(guests.map((guest) => guest.arrival(request.value)))
      return { atMs: Math.max(...all), lost: guests.filter(({ isLost }) => isLost).length }
    }
  }
}

function wallMs(): number {
  return performance.timeOrigin + performance.now()
}

process.on('message', (request: GuestsRequest) => {
  answer(request).then(
    (given) => process.send?.(given),
    async (error: unknown) => {
      console.error(error)
      await delay(100)
      process.exit(1)
    },
  )
})
process.on('disconnect', () => process.exit(0))
