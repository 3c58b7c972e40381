import type { Connection, MultiaddrConnection } from '@libp2p/interface'
import { tryGetNetConfig } from '@libp2p/utils'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Allowance } from './allowance.ts'

/** Connections that others have opened and on which no proof has been shown yet, from addresses of which nothing is known. */
const UNKNOWN_MAX = 64
/** The same with those from addresses where a proof was shown before, for which there is room on top. */
const ALL_MAX = 96
/** How many of them may come from one address. */
const ADDRESS_MAX = 48
/** How long they may last. */
const PROOF_MAX_MS = 15_000
/** Who has not sent a byte for so long is the first to make way. */
const SILENT_MAX_MS = 1000
/** Addresses where a proof was shown; the one that was seen longest ago is forgotten first. */
const KNOWN_MAX = 1024

/** How far a newcomer has come; who has come further is the last to make way. */
const STAGES = ['silent', 'greeted', 'encrypted'] as const
type Stage = (typeof STAGES)[number]

/** A connection whose other side has not shown yet that it is of the grid. */
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
 * Bounds the connections of strangers: how many there are, from one address and all together, and how long they last. When one
 * too many comes, another makes way: one that is silent, else, from the address that has most of them, the one that has come
 * least far, the oldest of those. So a stranger who opens connections without end replaces its own; and for those who have been members there is room
 * that no stranger takes, whatever number of addresses it has.
 */
export class Newcomers {
  readonly #inbound = new Set<Newcomer>()
  readonly #known = new Set<string>()
  /** Of both directions. */
  readonly #unproven = new WeakMap<MultiaddrConnection, { readonly allowance: Allowance; lift(): void }>()

  /** Connections that others have opened and on which no proof has been shown yet. */
  get size(): number {
    return this.#inbound.size
  }

  /** Takes a connection that was just opened; a newcomer where the other side has opened it. */
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

  /** The other side has shown that it is of the grid. */
  proven(connection: Connection): void {
    // libp2p's connections know what they stand on, though their type does not say so.
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
    // Sorting keeps the order of equals, which is that of their coming.
    const victim = rivals.find(({ waits }) => waits) ?? mostCrowded(rivals).toSorted((a, b) => a.stage - b.stage)[0]
    victim?.end('others have come meanwhile')
  }

  #remember(address: string): void {
    this.#known.delete(address)
    this.#known.add(address)
    const [oldest] = this.#known
    if (this.#known.size > KNOWN_MAX && oldest !== undefined) this.#known.delete(oldest)
  }
}

/** Those of the addresses that have most of them. */
function mostCrowded(newcomers: readonly Newcomer[]): Newcomer[] {
  const groups = [...Map.groupBy(newcomers, ({ address }) => address).values()]
  const most = Math.max(...groups.map(({ length }) => length))
  const crowded = new Set(groups.filter(({ length }) => length === most).flat())
  return newcomers.filter((newcomer) => crowded.has(newcomer))
}

/** An IPv6 host has whole networks of 2^64 addresses, so the network counts as one. */
function addressOf(remote: Multiaddr): string {
  const { host = '', type } = tryGetNetConfig(remote) ?? {}
  if (type !== 'ip6' || host.startsWith('::ffff:')) return host
  const [start = '', end] = host.split('::')
  const groups = start.split(':')
  const missing = end === undefined ? 0 : 8 - groups.length - end.split(':').length
  return [...groups, ...Array.from({ length: missing }, () => '0'), ...(end ?? '').split(':')].slice(0, 4).join(':')
}
