import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { PeerCalls, PeerState } from './peer-calls.ts'
import { PeerProcess } from './peer-process.ts'

/** One of the peers, running or not. */
export interface ClusterPeer {
  readonly number: number
  readonly directory: string
  /** `absent`: it has not been started yet; `left`: it has handed everything over and ended. */
  status: 'absent' | 'starting' | 'up' | 'killed' | 'left'
  child: PeerProcess | undefined
  peerId: string
  /** Its address, the same after a restart, so that the others find it again. */
  addresses: readonly string[]
  state: PeerState
}

export interface ClusterOptions {
  readonly name: string
  /** The address of this machine to listen on. */
  readonly host: string
  /** How many peers there are in the course of the demo. */
  readonly peers: number
  /** The cities are in a partitioned map. */
  readonly partitioned: boolean
  readonly onWarning: (line: string) => void
}

const NOTHING: PeerState = { entries: 0, fingerprint: '', neighbours: 0, conflicts: 0, sentBytes: 0 }

/** The processes of the demo, their folders, and the connections that they may have. */
export class Cluster {
  readonly name: string
  readonly host: string
  readonly peers: readonly ClusterPeer[]
  /** Rejects when a peer ends that the demo has not killed. */
  readonly broken: Promise<never>
  readonly #options: ClusterOptions
  readonly #root: string
  readonly #break: (error: Error) => void
  readonly #watchers = new Set<() => void>()
  #sides: readonly (readonly number[])[] = []
  #seated = false

  static async create(options: ClusterOptions): Promise<Cluster> {
    return new Cluster(options, await mkdtemp(join(tmpdir(), 'gossipgrid-demo-')))
  }

  private constructor(options: ClusterOptions, root: string) {
    this.name = options.name
    this.host = options.host
    this.#options = options
    this.#root = root
    this.peers = Array.from({ length: options.peers }, (_, index) => ({
      number: index + 1,
      directory: join(root, `peer-${index + 1}`),
      status: 'absent' as const,
      child: undefined,
      peerId: '',
      addresses: [],
      state: NOTHING,
    }))
    const { promise, reject } = Promise.withResolvers<never>()
    promise.catch(() => undefined)
    this.broken = promise
    this.#break = reject
  }

  /** The groups that cannot reach each other, by peer number; empty without a split. */
  get sides(): readonly (readonly number[])[] {
    return this.#sides
  }

  get running(): readonly ClusterPeer[] {
    return this.peers.filter((peer) => peer.status === 'up')
  }

  /** The peer of that number, from 1. */
  peer(number: number): ClusterPeer {
    const peer = this.peers[number - 1]
    if (peer === undefined) throw new Error(`there is no peer ${number}: they are numbered 1 to ${this.peers.length}`)
    return peer
  }

  /** Sends a call to a running peer. */
  ask<Name extends keyof PeerCalls>(
    number: number,
    call: Name,
    ask: PeerCalls[Name]['ask'],
  ): Promise<PeerCalls[Name]['answer']> {
    return this.#running(number).call(call, ask)
  }

  /** Starts the first peers, or all: one alone, the others join by its address. */
  async open(count: number = this.peers.length): Promise<void> {
    const started = this.peers.slice(0, count)
    for (const peer of started) this.#fork(peer)
    const [first, ...others] = started
    if (first === undefined) return
    await this.#open(first, [])
    await Promise.all(others.map((peer) => this.#open(peer, first.addresses)))
  }

  /** The addresses by which pages join. */
  get pageAddresses(): readonly string[] {
    return this.running.flatMap(({ addresses }) => addresses.filter(forPages))
  }

  /** From now on shows all peers to the pages that join. */
  async seat(): Promise<void> {
    this.#seated = true
    await Promise.all(this.running.map(({ number }) => this.ask(number, 'seat', number)))
  }

  /** SIGKILL, in the middle of whatever the peer is doing. */
  async kill(number: number): Promise<void> {
    const child = this.#running(number)
    const peer = this.peer(number)
    peer.status = 'killed'
    peer.state = { ...peer.state, neighbours: 0 }
    this.#changed()
    await child.kill()
    peer.child = undefined
    this.#changed()
  }

  /** Starts a killed peer again with its folder, port and split. Returns the contents of its disk. */
  async start(number: number): Promise<number> {
    const peer = this.peer(number)
    if (peer.status !== 'killed') throw new Error(`peer ${number} is running`)
    this.#fork(peer)
    const others = this.peers.filter((other) => other !== peer)
    return this.#open(
      peer,
      others.flatMap(({ addresses }) => addresses),
    )
  }

  /** Starts a further peer, which joins the running ones. */
  async join(number: number): Promise<void> {
    const peer = this.peer(number)
    if (peer.status !== 'absent') throw new Error(`peer ${number} has been started before`)
    this.#fork(peer)
    await this.#open(
      peer,
      this.running.flatMap(({ addresses }) => addresses),
    )
  }

  /** Takes a peer out for good: resolves once others have what it had, and its process has ended. */
  async leave(number: number, timeoutMs: number): Promise<void> {
    const peer = this.peer(number)
    await this.ask(number, 'leave', timeoutMs)
    peer.status = 'left'
    this.#changed()
    await peer.child?.close()
    peer.child = undefined
  }

  /** Cuts the network between the sides: closes connections, and refuses new ones. */
  async split(sides: readonly (readonly number[])[]): Promise<void> {
    this.#sides = sides
    await Promise.all(
      this.running.map(async ({ number }) => {
        await this.ask(number, 'unblock', null)
        await this.ask(number, 'block', this.#blocked(number))
      }),
    )
    this.#changed()
  }

  async heal(): Promise<void> {
    this.#sides = []
    await Promise.all(this.running.map(({ number }) => this.ask(number, 'unblock', null)))
    this.#changed()
  }

  /** Resolves when `holds` returns true; checks it at every change. */
  until(holds: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!holds()) return
        this.#watchers.delete(look)
        resolve()
      }
      this.#watchers.add(look)
      look()
    })
  }

  /** Asks every running peer for its state now: its last report may be out of date. */
  async refresh(): Promise<void> {
    await Promise.all(
      this.running.map(async (peer) => {
        peer.state = await this.ask(peer.number, 'state', null)
      }),
    )
    this.#changed()
  }

  /** Ends all processes and removes their folders. */
  async close(): Promise<void> {
    await Promise.all(this.peers.map(async (peer) => peer.child?.close()))
    await rm(this.#root, { recursive: true, force: true })
  }

  /** Ends all processes without waiting. */
  killAll(): void {
    for (const peer of this.peers) void peer.child?.kill()
  }

  #running(number: number): PeerProcess {
    const { child, status } = this.peer(number)
    if (child === undefined || status !== 'up') throw new Error(`peer ${number} is not running`)
    return child
  }

  #fork(peer: ClusterPeer): void {
    peer.status = 'starting'
    peer.child = new PeerProcess(peer.number, {
      onState: (state) => {
        peer.state = state
        this.#changed()
      },
      onDeath: (error) => this.#break(error),
      onWarning: (line) => this.#options.onWarning(`peer ${peer.number}: ${line}`),
    })
  }

  async #open(peer: ClusterPeer, addresses: readonly string[]): Promise<number> {
    const opened = await peer.child!.call('open', {
      name: this.name,
      directory: peer.directory,
      listen: [
        `/ip4/${this.host}/tcp/${portOf(peer, (address) => !forPages(address))}`,
        `/ip4/${this.host}/tcp/${portOf(peer, forPages)}/ws`,
      ],
      join: addresses,
      blocked: this.#blocked(peer.number),
      partitioned: this.#options.partitioned,
    })
    peer.peerId = opened.peerId
    peer.addresses = opened.addresses
    peer.status = 'up'
    if (this.#seated) await this.ask(peer.number, 'seat', peer.number)
    this.#changed()
    return opened.entriesFromDisk
  }

  /** All peers that are not on this peer's side. */
  #blocked(number: number): string[] {
    const side = this.#sides.find((numbers) => numbers.includes(number))
    if (side === undefined) return []
    return this.peers.filter((other) => !side.includes(other.number)).map(({ peerId }) => peerId)
  }

  #changed(): void {
    for (const look of [...this.#watchers]) look()
  }
}

/** Browsers use WebSockets. */
function forPages(address: string): boolean {
  return /\/ws(\/|$)/.test(address)
}

/** The port of an address; 0 when there is none yet. */
function portOf({ addresses }: ClusterPeer, asked: (address: string) => boolean): string {
  return /\/tcp\/(\d+)/.exec(addresses.find(asked) ?? '')?.[1] ?? '0'
}
