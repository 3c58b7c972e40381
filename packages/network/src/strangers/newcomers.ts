import type { Connection, MultiaddrConnection } from '@libp2p/interface'
import { tryGetNetConfig } from '@libp2p/utils'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Allowance } from './allowance.ts'

/** How many inbound connections may be without a proof, from addresses where no proof was ever shown. */
const UNKNOWN_MAX = 64
/** The same for all addresses. The room above `UNKNOWN_MAX` is for addresses where a proof was shown before. */
const ALL_MAX = 96
/** How many inbound connections without a proof may come from one address. */
const ADDRESS_MAX = 48
/** How long an inbound connection may last without a proof. */
const PROOF_MAX_MS = 15_000
/** A connection that has sent nothing for this long is the first to be dropped. */
const SILENT_MAX_MS = 1000
/** How many addresses are remembered where a proof was shown. The address seen longest ago is forgotten first. */
const KNOWN_MAX = 1024

/** How far a newcomer has come. The one that has come furthest is the last to be dropped. */
const STAGES = ['silent', 'greeted', 'encrypted'] as const
type Stage = (typeof STAGES)[number]

/** An inbound connection without a proof. */
export class Newcomer {
  readonly address: string
  readonly #connection: MultiaddrConnection
  readonly #startMs = performance.now()
  #stage: Stage = 'silent'

  constructor(address: string, connection: MultiaddrConnection) {
    this.address = address
    this.#connection = connection
  }

  get stage(): number {
    return STAGES.indexOf(this.#stage)
  }

  get waits(): boolean {
    return this.#stage === 'silent' && performance.now() - this.#startMs > SILENT_MAX_MS
  }

  advance(stage: Stage): void {
    if (STAGES.indexOf(stage) > this.stage) this.#stage = stage
  }

  end(text: string): void {
    this.#connection.abort(new Error(text))
  }
}

/**
 * Bounds the connections of strangers: their number from one address and in all, and how long they last. When one too many
 * comes, another is dropped. A silent connection goes first. Else it is one from the address that has the most, there the one
 * that has come least far, and of those the oldest. So a stranger that opens connections without end replaces its own. Known
 * members have room on top that no stranger takes, however many addresses it has.
 */
export class Newcomers {
  readonly #inbound = new Set<Newcomer>()
  readonly #known = new Set<string>()
  /** Connections without a proof, in both directions. */
  readonly #unproven = new WeakMap<MultiaddrConnection, { readonly allowance: Allowance; lift(): void }>()

  /** The number of inbound connections without a proof. */
  get size(): number {
    return this.#inbound.size
  }

  /** Adds a connection that has just opened. Returns a newcomer if it is inbound. */
  add(connection: MultiaddrConnection, allowance: Allowance): Newcomer | undefined {
    if (connection.direction === 'outbound') {
      this.#unproven.set(connection, { allowance, lift: () => allowance.lift() })
      return undefined
    }
    const newcomer = new Newcomer(addressOf(connection.remoteAddr), connection)
    this.#makeRoom(newcomer.address)
    this.#inbound.add(newcomer)
    const timer = setTimeout(() => newcomer.end('it has shown no proof in time'), PROOF_MAX_MS)
    const leave = (): void => {
      clearTimeout(timer)
      this.#inbound.delete(newcomer)
    }
    connection.addEventListener('close', leave)
    this.#unproven.set(connection, {
      allowance,
      lift: () => {
        leave()
        allowance.lift()
        this.#remember(newcomer.address)
      },
    })
    return newcomer
  }

  /** The other side has shown its proof. */
  proven(connection: Connection): void {
    // A connection of libp2p has the connection below it in this field, which its type hides.
    const { maConn } = connection as unknown as { readonly maConn: MultiaddrConnection }
    this.#unproven.get(maConn)?.lift()
    this.#unproven.delete(maConn)
  }

  #makeRoom(address: string): void {
    const isKnown = this.#known.has(address)
    const all = [...this.#inbound]
    const ofAddress = all.filter((newcomer) => newcomer.address === address)
    const unknown = all.filter((newcomer) => !this.#known.has(newcomer.address))
    const rivals =
      ofAddress.length >= ADDRESS_MAX
        ? ofAddress
        : !isKnown && unknown.length >= UNKNOWN_MAX
          ? unknown
          : all.length >= ALL_MAX
            ? unknown.length > 0
              ? unknown
              : all
            : []
    if (rivals.length === 0) return
    // Sorting keeps the order of equals: the order of arrival.
    const victim = rivals.find(({ waits }) => waits) ?? mostCrowded(rivals).toSorted((a, b) => a.stage - b.stage)[0]
    victim?.end('newer connections took its place')
  }

  #remember(address: string): void {
    this.#known.delete(address)
    this.#known.add(address)
    const [oldest] = this.#known
    if (this.#known.size > KNOWN_MAX && oldest !== undefined) this.#known.delete(oldest)
  }
}

/** The newcomers of the addresses that have the most of them. */
function mostCrowded(newcomers: readonly Newcomer[]): Newcomer[] {
  const groups = [...Map.groupBy(newcomers, ({ address }) => address).values()]
  const most = Math.max(...groups.map(({ length }) => length))
  const crowded = new Set(groups.filter(({ length }) => length === most).flat())
  return newcomers.filter((newcomer) => crowded.has(newcomer))
}

/** One IPv6 host has a whole network of 2^64 addresses, so the network counts as one address. */
function addressOf(remote: Multiaddr): string {
  const { host = '', type } = tryGetNetConfig(remote) ?? {}
  if (type !== 'ip6' || host.startsWith('::ffff:')) return host
  const [start = '', end] = host.split('::')
  const groups = start.split(':')
  const missing = end === undefined ? 0 : 8 - groups.length - end.split(':').length
  return [...groups, ...Array.from({ length: missing }, () => '0'), ...(end ?? '').split(':')].slice(0, 4).join(':')
}
