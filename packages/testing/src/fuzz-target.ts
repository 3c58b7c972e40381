import { COLLECTIONS_MAX, GridError, MEMBERS_MAX, OFFENDERS_MAX, SESSIONS_MAX } from '@gossipgrid/core'
import type { Effect, GridErrorCode, Peer } from '@gossipgrid/core'
import { decodeMessage, isReplicated } from '@gossipgrid/core/internals'
import { SPREAD, Wire } from './fuzz-wire.ts'

export type FuzzWay = 'message' | 'broadcast'

/** One input of a fuzzing run. */
export interface FuzzInput {
  readonly way: FuzzWay
  readonly bytes: Uint8Array
}

const HOSTILE_MAX = 6
const WHOLLY_REFUSED: readonly GridErrorCode[] = ['MESSAGE_MALFORMED', 'MESSAGE_TOO_LARGE', 'MESSAGE_VERSION']
/** No honest input makes a peer return so many effects in one step. */
const EFFECTS_MAX = 2000
const SETTLE_MAX_MS = 3_600_000

/**
 * A victim peer among hostile neighbours. It has state of its own, and met an honest peer before, which it meets again
 * at the end. Throws an `Error` that says what was wrong: an exception that is no refusal, a change by a refused
 * message, a bound that was exceeded, or two peers that do not become equal.
 */
export class FuzzTarget {
  readonly #wire: Wire
  readonly #hostile: string[] = []
  #nextHostile = 0
  #turn = 0
  #code: GridErrorCode | undefined
  #effects = 0
  /** Sessions that the victim mentioned lately. */
  readonly sessions: number[] = []
  /** Questions that the victim asked lately. */
  readonly requests: number[] = []
  /** Number of refused inputs by error code. */
  readonly refused: Map<string, number> = new Map()
  accepted = 0

  constructor(seed: number) {
    this.#wire = new Wire(seed)
    this.#wire.open('victim')
    this.#wire.open('honest')
    this.#wire.peer('victim').open(SPREAD)
    this.#wire.link('victim', 'honest')
    for (let i = 0; i < 20; i++) {
      const name = i % 2 === 0 ? 'victim' : 'honest'
      this.#wire.write(name, i % 3 === 0 ? 'users' : 'orders', `key ${i}`, { i, from: name })
    }
    this.#wire.advance(5000)
    for (let i = 0; i < 20; i++) this.#wire.use('victim', `key ${i}`, i)
    this.#wire.advance(10_000)
    this.#wire.cut('victim', 'honest')
    for (let i = 0; i < 10; i++) this.#wire.write(i % 2 === 0 ? 'victim' : 'honest', 'users', `late ${i}`, i)
    this.#wire.noted = ({ from, bytes }) => this.#noted(from, bytes)
    this.#wire.onEffect = (name, effect) => this.#onEffect(name, effect)
    while (this.#hostile.length < HOSTILE_MAX) this.#meetHostile()
    this.#wire.advance(100)
  }

  get victim(): Peer {
    return this.#wire.peer('victim')
  }

  get honest(): Peer {
    return this.#wire.peer('honest')
  }

  /** The hostile neighbour that sends the next input. */
  get sender(): string {
    return this.#hostile[this.#turn % HOSTILE_MAX]!
  }

  get wallMs(): number {
    return this.#wire.now.wallMs
  }

  give({ way, bytes }: FuzzInput): void {
    const before = this.#summary()
    this.#code = undefined
    this.#effects = 0
    this.#wire.give('victim', { type: way, from: this.sender, bytes })
    this.#turn += 1
    if (this.#effects > EFFECTS_MAX) throw new Error(`one message caused ${this.#effects} effects`)
    const code = this.#code as GridErrorCode | undefined
    if (code === undefined) this.accepted += 1
    else {
      this.refused.set(code, (this.refused.get(code) ?? 0) + 1)
      const after = this.#summary()
      if (WHOLLY_REFUSED.includes(code) && after !== before) {
        throw new Error(`refused with ${code}, and yet changed:\n${before}\n${after}`)
      }
    }
  }

  /** Lets time pass while the hostile peers are connected. The victim reads and writes what may be theirs. */
  advance(ms: number): void {
    const key = `key ${this.#turn % 20}`
    try {
      this.#wire.use('victim', key, this.#turn)
    } catch (error) {
      // Hostile peers may fill what is kept for owners, and drop or rename the collection.
      if (!(error instanceof GridError)) throw error
    }
    this.#wire.advance(ms)
  }

  /** Checks the bounds. Then the hostile peers leave, and the honest peer comes back until the two are equal. */
  settle(): void {
    const { victim, honest } = this
    const bounds: [string, number, number][] = [
      ['members', victim.membership.size, MEMBERS_MAX],
      ['collections', victim.collections.limitedCount, COLLECTIONS_MAX],
      ['sessions', victim.antiEntropy.sessionCount, SESSIONS_MAX],
      ['offenders', victim.offences.latest(10_000).length, OFFENDERS_MAX],
      ['lags', victim.lag.totals().length, MEMBERS_MAX],
      ['hints', victim.partitions.hints!.count, 100_000],
      ['quarantined bytes', victim.inbound.quarantine.bytes, 4 * 1024 * 1024],
    ]
    for (const [what, count, max] of bounds) if (count > max) throw new Error(`${count} ${what}, ${max} are allowed`)
    for (const name of this.#hostile) this.#wire.give('victim', { type: 'disconnected', neighbour: name })
    this.#wire.link('victim', 'honest')
    for (let ms = 0; ms < SETTLE_MAX_MS; ms += 20_000) {
      this.#wire.advance(20_000)
      if (rootOf(victim) === rootOf(honest) && victim.inbound.quarantine.count === 0) return
    }
    throw new Error('the victim and an honest peer do not become equal any more')
  }

  /** The state that a refused message must not change. */
  #summary(): string {
    const { collections, membership, replicaId, inbound, hlc } = this.victim
    const { incarnation, revision } = membership.self
    return [
      `root ${collections.root()}, ${collections.size} collections, ${collections.ids.count} replica ids`,
      `${membership.size} members, self ${incarnation} ${revision}, replica id ${replicaId}`,
      `${inbound.quarantine.count} quarantined, HLC ${hlc}`,
    ].join(', ')
  }

  #meetHostile(): void {
    const name = `hostile ${this.#nextHostile++}`
    this.#hostile.push(name)
    this.#wire.give('victim', { type: 'connected', neighbour: name })
  }

  #noted(from: string, bytes: Uint8Array): void {
    if (from !== 'victim') return
    this.#effects += 1
    const message = decodeMessage(bytes)
    if ('request' in message) this.requests.push(message.request)
    if (this.requests.length > 16) this.requests.shift()
    if (!('session' in message)) return
    this.sessions.push(message.session)
    if (this.sessions.length > 16) this.sessions.shift()
  }

  #onEffect(name: string, effect: Effect): void {
    if (name !== 'victim') return
    this.#effects += 1
    if (effect.type === 'refuse') {
      const at = this.#hostile.indexOf(effect.neighbour)
      if (at < 0) throw new Error(`${effect.neighbour} was cut off, which has done nothing`)
      this.#hostile.splice(at, 1)
      this.#wire.give('victim', { type: 'disconnected', neighbour: effect.neighbour })
      this.#meetHostile()
    } else if (effect.type === 'event' && effect.event.type === 'refused') {
      if (!(effect.event.error instanceof GridError)) throw new Error('refused with something else than a GridError')
      this.#code = effect.event.error.code
    }
  }
}

/** A hash over what every peer holds. */
function rootOf(peer: Peer): string {
  return peer.collections.root(isReplicated)
}
