import { Announcements } from './announcements.ts'
import { AntiEntropy } from './anti-entropy.ts'
import { Broadcaster } from './broadcaster.ts'
import { Checkpoint } from './checkpoint.ts'
import type { Collection, Collections, Partition } from './collections.ts'
import { Confirmations } from './confirmations.ts'
import { Dials } from './dials.ts'
import type { Effect, Input, PeerEvent } from './effects.ts'
import type { Row } from './entry-table.ts'
import { GridError } from './errors.ts'
import { GroupCommit } from './group-commit.ts'
import type { HybridClock } from './hlc.ts'
import { Inbound } from './inbound.ts'
import type { Instant, RandomSource } from './instant.ts'
import type { CollectionDescriptor } from './kinds.ts'
import { LagTable } from './lag.ts'
import { EXPIRIES_PER_STEP_MAX, HEARTBEAT_MS, UNDURABLE_MAX_BYTES } from './limits.ts'
import type { MemberRecord } from './member-record.ts'
import { Membership, heartbeatMs } from './membership.ts'
import type { RecordSource } from './membership.ts'
import { decodeMessage, encodeMessage } from './messages.ts'
import type { Message } from './messages.ts'
import { Neighbours } from './neighbours.ts'
import { Offences } from './offences.ts'
import type { Opened } from './opening.ts'
import type { PeerId } from './ports.ts'
import { ReplicaIdentity } from './replica-identity.ts'
import type { ReplicaId, ReplicaIds } from './replica-ids.ts'
import { SEQUENCE_MAX } from './replica.ts'
import { Signals } from './signals.ts'
import { ASIDE_PREFIX } from './stored-state.ts'

/** A local write as it was applied. Its dot is (replica id, sequence), its version (hlc, replica id). */
export interface Written {
  /** Counts local writes; `durable` events name it. */
  readonly writeId: number
  readonly hlc: number
  readonly replicaId: ReplicaId
  readonly sequence: number
}

/** What `openPeer` puts together for a peer. */
export interface PeerParts {
  readonly collections: Collections
  readonly ids: ReplicaIds
  readonly clock: HybridClock
  readonly random: RandomSource
  readonly opened: Opened
  readonly self: Omit<MemberRecord, 'replicaId' | 'revision' | 'left'>
  readonly persistent: boolean
}

/**
 * One peer of a grid, as a state machine without I/O, timers or chance of its own: `step` takes what happened and gives
 * back what is to be done. The same code runs against real ports and in the simulator. Made by `openPeer`.
 */
export class Peer {
  readonly collections: Collections
  readonly membership: Membership
  readonly lag: LagTable
  readonly commit: GroupCommit
  readonly broadcaster: Broadcaster
  readonly antiEntropy: AntiEntropy
  readonly confirmations: Confirmations
  readonly inbound: Inbound
  readonly offences: Offences = new Offences()
  readonly neighbours: Neighbours = new Neighbours()
  readonly signals: Signals
  readonly #clock: HybridClock
  readonly #random: RandomSource
  readonly #identity: ReplicaIdentity
  readonly #checkpoint: Checkpoint
  readonly #announcements: Announcements
  readonly #dials: Dials
  readonly #persistent: boolean
  #effects: Effect[] = []
  #now: Instant
  #writeId = 0
  #bulkAnnounce = false
  #nextExpiryMs = Infinity

  constructor(parts: PeerParts, now: Instant) {
    const { collections, ids, clock, random, opened, self, persistent } = parts
    this.collections = collections
    this.#clock = clock
    this.#random = random
    this.#persistent = persistent
    this.#now = now
    this.#identity = new ReplicaIdentity(ids, collections, random, opened.replicaId)
    const selfRecord = { ...self, replicaId: this.#identity.id, revision: 0, left: false }
    this.membership = new Membership(selfRecord, {
      changed: (record, state) => {
        if (state === 'gone') this.lag.forget(record.peerId)
        this.#event({ type: 'member', record, state })
      },
      twin: (reason) => this.#event({ type: 'identity-in-use', reason }),
    })
    this.lag = new LagTable(collections)
    const send = this.#send.bind(this)
    const whenDurable = (callback: () => void): void => this.commit.whenDurable(callback)
    this.broadcaster = new Broadcaster(
      (block) => this.#broadcast({ type: 'frame', block }),
      () => (this.#bulkAnnounce = true),
    )
    this.signals = new Signals({
      membership: this.membership,
      neighbours: this.neighbours,
      broadcaster: this.broadcaster,
      broadcast: (message) => this.#broadcast(message),
      event: (event) => this.#event(event),
    })
    this.commit = new GroupCommit(ids, persistent, {
      store: (ticket, batch) => this.#effects.push({ type: 'store', ticket, batch }),
      durable: (writeId, frames) => {
        this.#event({ type: 'durable', writeId })
        if (this.neighbours.size > 0) this.broadcaster.offer(frames)
      },
      notDurable: (writeId, error) => this.#event({ type: 'not-durable', writeId, error }),
    })
    this.antiEntropy = new AntiEntropy(collections, ids, random, {
      peerId: self.peerId,
      send,
      whenDurable,
      apply: (from, block, options) => this.inbound.apply(from, 'session', block, options, this.#now),
      log: (block) => this.commit.remote(block),
      vectorsSeen: (neighbour, seen) => this.#announcements.vectorsSeen(neighbour, seen, this.#now),
      sessionEnded: (neighbour, complete, rowsSent, rowsReceived) =>
        this.#event({ type: 'session', neighbour, complete, rowsSent, rowsReceived }),
    })
    this.#announcements = new Announcements({
      collections,
      membership: this.membership,
      antiEntropy: this.antiEntropy,
      lag: this.lag,
      cloned: (reason) => this.#cloned(reason),
      ownReplica: () => this.#identity.index,
    })
    this.confirmations = new Confirmations(collections, ids, {
      send,
      whenDurable,
      missing: (from) => this.antiEntropy.wantFrom(from, this.#now),
      durableNeighbours: () => this.#durableNeighbours(),
      copies: (request, copies) => this.#event({ type: 'copies', request, copies }),
    })
    this.inbound = new Inbound(collections, ids, clock, {
      log: (block) => this.commit.remote(block),
      cloned: (reason) => this.#cloned(reason),
      refused: (from, error) => this.#event({ type: 'refused', from, error }),
      isOwn: (replica) => replica === this.#identity.index,
    })
    this.#dials = new Dials(this.neighbours, this.offences, (dial) => this.#effects.push({ type: 'dial', ...dial }))
    const ownIds = (): { replicaId: ReplicaId; peerId: PeerId } => ({ replicaId: this.replicaId, peerId: self.peerId })
    this.#checkpoint = new Checkpoint(collections, ids, this.commit, ownIds)
    if (persistent) this.#follow(opened)
    if (opened.reason !== '') this.#event({ type: 'replica-id', replicaId: this.#identity.id, reason: opened.reason })
  }

  get peerId(): PeerId {
    return this.membership.self.peerId
  }

  get replicaId(): ReplicaId {
    return this.#identity.id
  }

  /** Drawn anew at every opening, so that no copy of this peer's state shares it: the name of its own rows in counters and sets. */
  get slotId(): string {
    return this.#identity.slotId
  }

  get persistent(): boolean {
    return this.#persistent
  }

  /** The grid's wall milliseconds, as far as this peer can tell: what expires is judged by them. */
  wallMs(now: Instant): number {
    return now.wallMs
  }

  /** The HLC's last reading. */
  get hlc(): number {
    return this.#clock.last
  }

  /** Monotonic milliseconds at which `step` is next to be called with a tick, if nothing happens before. */
  get wakeAtMs(): number {
    if ((this.#persistent && this.#checkpoint.busy) || this.#bulkAnnounce) return 0
    const { antiEntropy, broadcaster, commit, confirmations, membership, signals } = this
    const parts = [membership, broadcaster, antiEntropy, commit, this.#identity, confirmations, signals]
    return parts.reduce((earliestMs, { wakeAtMs }) => Math.min(earliestMs, wakeAtMs), this.#nextExpiryMs)
  }

  /** Opens a collection. Throws `INVALID_NAME`, `COLLECTION_MISMATCH` or `COLLECTION_LIMIT`. */
  open(descriptor: CollectionDescriptor): Collection {
    return this.collections.open(descriptor)
  }

  /**
   * Applies a write of this peer; `value` undefined deletes. It is visible at once, and durable when a `durable` event
   * names its `writeId`. The next `step` sets it on its way. Throws `BACKLOG_FULL`, with nothing applied, when 64 MiB wait
   * for the store.
   */
  write(partition: Partition, key: string, value: Uint8Array | undefined, now: Instant): Written {
    if (this.commit.undurableBytes > UNDURABLE_MAX_BYTES) {
      throw new GridError('BACKLOG_FULL', `${UNDURABLE_MAX_BYTES} bytes of writes wait to be stored: await some first`)
    }
    if (this.#identity.nextSequence(partition) > SEQUENCE_MAX)
      this.#abandonReplicaId('all sequence numbers are used up')
    const row: Row = {
      key,
      hlc: this.#clock.tick(now.wallMs),
      replica: this.#identity.index,
      sequence: this.#identity.nextSequence(partition),
      replaced: 0,
      bytes: value,
      start: 0,
      end: value?.length ?? 0,
    }
    partition.replica.write(row)
    const writeId = ++this.#writeId
    this.commit.local(partition.name, row, writeId)
    return { writeId, hlc: row.hlc, replicaId: this.#identity.id, sequence: row.sequence }
  }

  /** What `run` writes is logged and sent in one piece. */
  atomically(run: () => void): void {
    this.commit.atomically(run)
  }

  /** Takes one input and returns everything there is to do since the last call. */
  step(input: Input, now: Instant): Effect[] {
    this.#now = now
    this.#take(input)
    this.#tick()
    const effects = this.#effects
    this.#effects = []
    return effects
  }

  /** Says goodbye to the neighbours; `left` when this peer leaves the grid for good. */
  goodbye(left: boolean, now: Instant): Effect[] {
    if (left) this.membership.update({ left: true })
    this.signals.farewell()
    for (const neighbour of this.neighbours.ids()) this.#send(neighbour, { type: 'goodbye', left })
    return this.step({ type: 'tick' }, now)
  }

  #take(input: Input): void {
    switch (input.type) {
      case 'tick':
        break
      case 'connected':
        this.#connected(input.neighbour)
        break
      case 'disconnected':
        this.neighbours.disconnected(input.neighbour)
        this.antiEntropy.disconnected(input.neighbour, this.#now)
        this.confirmations.disconnected(input.neighbour)
        if (this.neighbours.size === 0) this.broadcaster.clear()
        break
      case 'message':
        this.#guarded(input.from, () => this.#receive(input.from, decodeMessage(input.bytes)))
        break
      case 'broadcast':
        this.#guarded(input.from, () => this.#receiveBroadcast(input.from, decodeMessage(input.bytes)))
        break
      case 'hostile':
        this.#offended(input.neighbour, new GridError('NETWORK_HOSTILE', input.reason), true)
        break
      case 'broadcasted':
        this.broadcaster.broadcasted()
        break
      case 'stored':
        this.commit.stored(input.ticket)
        break
      case 'store-failed':
        this.commit.failed(input.ticket, input.error, this.#now)
        break
      case 'addresses':
        this.membership.update({ addresses: input.addresses })
    }
  }

  /**
   * The trust boundary: whatever a peer sends that is malformed ends here, counted, with nothing changed. Other errors
   * are bugs of this peer and pass on.
   */
  #guarded(from: PeerId, receive: () => void): void {
    // Its broadcasts still come through others.
    if (this.offences.refuses(from, this.#now)) return
    try {
      receive()
    } catch (error) {
      if (!(error instanceof GridError)) throw error
      this.#offended(from, error, false)
    }
  }

  #offended(from: PeerId, error: GridError, severe: boolean): void {
    this.#event({ type: 'refused', from, error })
    // Nobody can help speaking another version, or passing on what somebody else made up.
    if (error.code === 'MESSAGE_VERSION' || error.code === 'REPLICA_ID_REFUSED') return
    const refusedMs = this.offences.note(from, error, this.#now, severe)
    if (refusedMs > 0) this.#effects.push({ type: 'refuse', neighbour: from, refusedMs, reason: error.message })
  }

  #receiveBroadcast(from: PeerId, message: Message): void {
    if (message.type === 'frame') {
      const { gaps } = this.inbound.apply(from, 'broadcast', message.block, { voids: false }, this.#now)
      if (gaps) this.antiEntropy.wantFrom(from, this.#now)
    } else if (message.type === 'announce') {
      const parts = this.#announcements.read(from, message)
      this.#learn(message.member, 'broadcast')
      this.#announcements.compare(from, message, parts, this.#now)
      this.signals.heard(from, message, this.#now)
    } else if (message.type === 'publish' || message.type === 'presence') this.signals.receive(from, message, this.#now)
    else throw new GridError('MESSAGE_MALFORMED', `a broadcast ${message.type}`)
    this.neighbours.heardBroadcast(from, this.#now)
    this.membership.heard(from, this.#now)
  }

  #receive(from: PeerId, message: Message): void {
    this.membership.heard(from, this.#now)
    switch (message.type) {
      case 'hello':
        for (const record of message.members) this.#learn(record, record.peerId === from ? 'stream' : 'hearsay')
        this.signals.heard(from, message, this.#now)
        this.confirmations.neighboursChanged()
        break
      case 'goodbye':
        this.membership.departed(from, message.left)
        this.signals.presence.departed(from)
        this.lag.forget(from)
        break
      case 'confirm':
        this.confirmations.asked(from, message, this.#now)
        break
      case 'confirmed':
        this.confirmations.confirmed(from, message.request)
        break
      case 'frame':
      case 'announce':
      case 'publish':
      case 'presence':
        throw new GridError('MESSAGE_MALFORMED', `a ${message.type} on a stream`)
      default:
        this.antiEntropy.receive(from, message, this.#now)
    }
  }

  #learn(record: MemberRecord, source: RecordSource): void {
    const news = this.membership.learn(record, source, this.#now)
    if (news && !record.left) this.#dials.learned(record, this.#now)
  }

  #connected(neighbour: PeerId): void {
    this.neighbours.connected(neighbour, this.#now)
    this.#send(neighbour, { type: 'hello', members: this.membership.records(), ...this.signals.told() })
    this.antiEntropy.connected(neighbour, this.#now)
    this.confirmations.neighboursChanged()
  }

  #tick(): void {
    const now = this.#now
    this.inbound.release(now)
    this.#expire()
    this.membership.expire(now)
    this.antiEntropy.tick(now)
    this.confirmations.tick(now)
    if (this.#persistent) this.#checkpoint.tick()
    this.commit.flush(now)
    this.broadcaster.pump(now.monotonicMs)
    this.signals.tick(now)
    if (this.#bulkAnnounce || this.membership.heartbeatDue(now, this.#random)) this.#announce()
    const stretch = heartbeatMs(this.membership.size) / HEARTBEAT_MS
    for (const neighbour of this.neighbours.deaf(stretch, now)) this.#effects.push({ type: 'redial', neighbour })
    this.#dials.tick(() => this.membership.others, now)
    const suspicion = this.#identity.due(now)
    if (suspicion !== '') this.#abandonReplicaId(suspicion)
  }

  /** Drops the values whose time has come. */
  #expire(): void {
    const { expiries } = this.collections
    const wallMs = this.wallMs(this.#now)
    if (expiries.nextMs <= wallMs) {
      expiries.take(wallMs, EXPIRIES_PER_STEP_MAX, (replica, slot) => replica.expire(slot, wallMs))
    }
    this.#nextExpiryMs = this.#now.monotonicMs + Math.max(0, expiries.nextMs - wallMs)
  }

  #announce(): void {
    const bulk = this.#bulkAnnounce
    this.#bulkAnnounce = false
    if (this.neighbours.size === 0) return
    this.broadcaster.passed()
    this.#broadcast({ ...this.#announcements.compose(bulk), ...this.signals.told() })
  }

  #durableNeighbours(): PeerId[] {
    return this.neighbours.ids().filter((id) => this.membership.get(id)?.record.role === 'storage')
  }

  /** False when the id is to be abandoned only later. */
  #cloned(reason: string): boolean {
    const now = this.#identity.suspect(reason, this.#now)
    if (now) this.#abandonReplicaId(reason)
    return now
  }

  #abandonReplicaId(reason: string): void {
    this.#identity.rest(this.#now)
    this.#identity.abandon((partition, row) => this.commit.local(partition.name, row, this.#writeId))
    if (this.#persistent) this.commit.operations([this.#checkpoint.meta()])
    this.membership.update({ replicaId: this.#identity.id })
    this.#event({ type: 'replica-id', replicaId: this.#identity.id, reason })
  }

  /** Takes up the store where opening left it; damage is set aside and the state written anew. */
  #follow(opened: Opened): void {
    this.commit.resume(opened.logLast, opened.logBytes)
    this.#checkpoint.resume(opened.logFirst, opened.nextPlace, opened.orphans)
    for (const partition of this.collections.partitions()) {
      this.#checkpoint.follow(partition, opened.stored.get(partition))
    }
    this.collections.created = (partition) => this.#checkpoint.follow(partition)
    if (opened.damaged) this.#checkpoint.repair()
    if (opened.replicaId === undefined) this.commit.operations([this.#checkpoint.meta()])
    for (const { key, bytes, reason } of opened.damage) {
      if (bytes !== undefined) this.commit.operations([{ type: 'put', key: ASIDE_PREFIX + key, bytes }])
      this.#event({ type: 'damaged', key, reason })
    }
  }

  #send(to: PeerId, message: Message): void {
    this.#effects.push({ type: 'send', to, bytes: encodeMessage(message) })
  }

  #broadcast(message: Message): void {
    this.#effects.push({ type: 'broadcast', bytes: encodeMessage(message) })
  }

  #event(event: PeerEvent): void {
    this.#effects.push({ type: 'event', event })
  }
}
