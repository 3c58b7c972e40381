import { gossipsub, StrictSign, TopicValidatorResult } from '@libp2p/gossipsub'
import type { GossipSub, Message, SignedMessage } from '@libp2p/gossipsub'
import type { PeerId as Libp2pPeerId, Stream } from '@libp2p/interface'
import type { PeerId } from '@gossipgrid/core'
import { GOSSIP_STREAMS_MAX, checkBroadcastSize } from './broadcasting.ts'
import type { Broadcasting, GossipOptions } from './broadcasting.ts'
import type { Channel } from './channel.ts'
import { GOSSIP_HEARTBEAT_MS, withOneTimer } from './gossip-timers.ts'
import { SEAL_BYTES } from './lock.ts'
import { drained } from './message-writer.ts'

/** `publish` waits while more than this is queued for one neighbour. */
const ROOM_BYTES = 512 * 1024
/** Beyond this a neighbour's gossip is dropped: best effort, and gossipsub itself would queue without end. */
const QUEUE_MAX_BYTES = 4 * 1024 * 1024
/** How much may wait in `publish`, in all. Frames beyond that are dropped. */
const WAITING_MAX_BYTES = 16 * 1024 * 1024
/** How long `publish` waits for a neighbour that reads slowly. Then it goes on without waiting for it. */
const ROOM_WAIT_MAX_MS = 1000
/** A frame goes straight to all subscribers up to this many. Above, the mesh passes it on. */
const FLOOD_PEERS_MAX = 8
/** A peer with more mesh neighbours than this prunes some. */
const MESH_MAX = 32
/** How much is kept for peers that ask for missed messages. Older messages come by anti-entropy only. */
const CACHE_MAX_BYTES = 16 * 1024 * 1024
/** The cost of a cached message besides its content: author, signature, number and topic. */
const CACHED_COST_BYTES = 1024
/** How much answers one request for missed messages. An answer is one gossipsub frame, whose size has a limit. */
const ANSWER_MAX_BYTES = 1024 * 1024
/**
 * The score of a neighbour without a proof. Below -50 it is sent no frames, above -80 its subscriptions count: those of a member
 * come before its proof and are not repeated.
 */
const STRANGER_SCORE = -60
/** How long the score of a lost neighbour is kept. gossipsub's default is an hour, enough for millions of strangers' scores. */
const SCORE_KEPT_MS = 30_000
/** Room for subscriptions and lists of message ids beside the messages of one frame. */
const CONTROL_BYTES = 512 * 1024

/** Parts of gossipsub below its public type, which are needed to bound what it leaves unbounded. */
interface Internals {
  readonly streamsOutbound: Map<string, OutboundStream>
  readonly topics: Map<string, Set<string>>
  readonly score: { readonly scoreCache: Map<string, unknown> }
  readonly mcache: {
    readonly msgs: Map<string, { readonly message: { readonly data?: Uint8Array } }>
    put(id: unknown, message: { readonly data?: Uint8Array }, validated?: boolean): boolean
    getWithIWantCount(id: string, peer: string): unknown
    shift(): void
  }
  removePeer(peerId: Libp2pPeerId): void
  publish(topic: string, bytes: Uint8Array, options: { floodPublish: boolean; batchPublish: boolean }): Promise<unknown>
}

interface OutboundStream {
  readonly rawStream: Stream
  pushPrefixed(bytes: Uint8Array): void
}

export type GossipService = GossipSub

/**
 * The gossipsub service of a peer.
 *
 * - Scores: several peers behind one address (loopback, NAT) are normal and cost no score. Invalid messages do.
 * - `fastMsgIdFn` drops a repeated message before its signature is checked. Only verified messages get on that list.
 * - Every peer looks for few mesh neighbours, since in a small grid each peer gets a frame from its author anyway. But it keeps
 *   all that ask: a peer that others join by may be their only neighbour, and a pruned neighbour would get no frames.
 */
export function gossipService(options: GossipOptions): (components: object) => GossipService {
  const topics = options.channels.map((channel) => channel.topic)
  const frameSizeMaxBytes = options.broadcastSizeMaxBytes + SEAL_BYTES
  const factory = gossipsub({
    globalSignaturePolicy: StrictSign,
    allowPublishToZeroTopicPeers: true,
    fallbackToFloodsub: false,
    heartbeatInterval: GOSSIP_HEARTBEAT_MS,
    allowedTopics: topics,
    maxInboundStreams: GOSSIP_STREAMS_MAX,
    maxInboundDataLength: frameSizeMaxBytes + Math.max(frameSizeMaxBytes, ANSWER_MAX_BYTES) + CONTROL_BYTES,
    maxTopicBytesPerPeer: 8 * 1024,
    decodeRpcLimits: {
      maxSubscriptions: 16,
      maxMessages: 5000,
      maxIhaveMessageIDs: 5000,
      maxIwantMessageIDs: 5000,
      maxIdontwantMessageIDs: 512,
      maxControlMessages: 64,
      maxPeerInfos: 0,
    },
    fastMsgIdFn: (message) => {
      if (message.from == null || message.seqno == null) return `?${Math.random()}`
      return String.fromCharCode(...message.from, ...message.seqno)
    },
    D: 3,
    Dlo: 2,
    Dhi: MESH_MAX,
    Dscore: 2,
    Dout: 1,
    Dlazy: 4,
    floodPublish: false,
    doPX: false,
    mcacheLength: 4,
    mcacheGossip: 3,
    scoreParams: {
      IPColocationFactorWeight: 0,
      retainScore: SCORE_KEPT_MS,
      // A stalled event loop breaks a few promises; only a flood of them is an attack.
      behaviourPenaltyThreshold: 10,
      appSpecificScore: (peerId) => (options.isMember(peerId) ? 0 : STRANGER_SCORE),
      appSpecificWeight: 1,
      topics: Object.fromEntries(topics.map((topic) => [topic, onlyInvalidMessagesCount])),
    },
  }) as (components: object) => GossipService
  return (components) => withOneTimer(factory(components))
}

const onlyInvalidMessagesCount = {
  topicWeight: 1,
  timeInMeshWeight: 0,
  timeInMeshQuantum: 1000,
  timeInMeshCap: 1,
  firstMessageDeliveriesWeight: 0,
  firstMessageDeliveriesDecay: 0.5,
  firstMessageDeliveriesCap: 1,
  meshMessageDeliveriesWeight: 0,
  meshMessageDeliveriesDecay: 0.5,
  meshMessageDeliveriesCap: 1,
  meshMessageDeliveriesThreshold: 1,
  meshMessageDeliveriesWindow: 10,
  meshMessageDeliveriesActivation: 5000,
  meshFailurePenaltyWeight: 0,
  meshFailurePenaltyDecay: 0.5,
  invalidMessageDeliveriesWeight: -20,
  invalidMessageDeliveriesDecay: 0.9,
}

/** Best-effort broadcast on gossipsub, with the bounds and the back-pressure that gossipsub lacks. */
export class Gossip implements Broadcasting {
  readonly #service: GossipSub
  readonly #internals: Internals
  readonly #options: GossipOptions
  readonly #self: PeerId
  /** What sealed frames say, from their validation to their event. */
  readonly #unsealed = new WeakMap<object, Uint8Array>()
  /** Neighbours that read too slowly to be waited for, until their queue has room again. */
  readonly #slow = new Set<PeerId>()
  #waitingBytes = 0
  #dropped = 0

  constructor(self: PeerId, service: GossipService, options: GossipOptions) {
    this.#self = self
    this.#service = service
    this.#internals = this.#service as unknown as Internals
    this.#options = options
    boundQueues(this.#internals.streamsOutbound)
    boundCache(this.#internals.mcache)
  }

  get dropped(): number {
    return this.#dropped
  }

  listen(onMessage: (author: PeerId, bytes: Uint8Array) => void): void {
    for (const channel of this.#options.channels) {
      this.#service.topicValidators.set(channel.topic, (_from, message) => this.#judge(channel, message))
      this.#service.subscribe(channel.topic)
    }
    this.#service.addEventListener('message', (event: CustomEvent<Message>) => {
      const message = event.detail
      const bytes = this.#unsealed.get(message)
      if (message.type !== 'signed' || bytes === undefined) return
      const author = (message as SignedMessage).from.toString()
      if (author !== this.#self) onMessage(author, bytes)
    })
  }

  /** Only frames that are small enough and sealed by a member are listened to and passed on. */
  async #judge({ lock }: Channel, message: Message): Promise<TopicValidatorResult> {
    if (message.type !== 'signed') return TopicValidatorResult.Reject
    const limit = this.#options.broadcastSizeMaxBytes + (lock === undefined ? 0 : SEAL_BYTES)
    if (message.data.length > limit) return TopicValidatorResult.Reject
    const author = (message as SignedMessage).from.toString()
    const bytes = lock === undefined ? message.data : await lock.unseal(author, message.data)
    if (bytes === undefined) return TopicValidatorResult.Reject
    this.#unsealed.set(message, bytes)
    return TopicValidatorResult.Accept
  }

  async publish(bytes: Uint8Array): Promise<void> {
    const { channels, broadcastSizeMaxBytes } = this.#options
    checkBroadcastSize(bytes, broadcastSizeMaxBytes)
    if (this.#waitingBytes + bytes.length > WAITING_MAX_BYTES) {
      this.#dropped += 1
      return
    }
    this.#waitingBytes += bytes.length
    // Copies, for what is waiting here and for the messages that gossipsub keeps for peers that missed them.
    const copy = bytes.slice()
    try {
      await this.#room()
      for (const { topic, lock } of channels) {
        const frame = lock === undefined ? copy : await lock.seal(this.#self, copy)
        const floodPublish = (this.#internals.topics.get(topic)?.size ?? 0) <= FLOOD_PEERS_MAX
        await this.#internals.publish(topic, frame, { floodPublish, batchPublish: true })
      }
      await this.#room()
    } catch {
      this.#dropped += 1
    } finally {
      this.#waitingBytes -= bytes.length
    }
  }

  /** gossipsub would go by its score as a stranger for another second. */
  admitted(neighbour: PeerId): void {
    this.#internals.score.scoreCache.delete(neighbour)
  }

  /** gossipsub does not learn it of a peer that left while what it had said of itself was being read. */
  forget(peerId: Libp2pPeerId): void {
    this.#internals.removePeer(peerId)
  }

  /** gossipsub opens its stream once per connection and, when that stream is reset, stays silent in both directions. */
  deaf(neighbour: PeerId): boolean {
    const subscribed = this.#options.channels.some(({ topic }) => this.#internals.topics.get(topic)?.has(neighbour))
    return !subscribed || !this.#internals.streamsOutbound.has(neighbour)
  }

  /** Resolves when every queue has room, but for neighbours that have used up the waiting time. */
  async #room(): Promise<void> {
    let deadlineMs: number | undefined
    for (;;) {
      const full = this.#fullStreams()
      if (full.length === 0) return
      deadlineMs ??= performance.now() + ROOM_WAIT_MAX_MS
      const leftMs = deadlineMs - performance.now()
      if (leftMs <= 0) {
        for (const [neighbour] of full) this.#slow.add(neighbour)
        return
      }
      await firstOf(
        full.map(([, stream]) => drained(stream)),
        leftMs,
      )
    }
  }

  #fullStreams(): [PeerId, Stream][] {
    const full: [PeerId, Stream][] = []
    for (const [neighbour, { rawStream }] of this.#internals.streamsOutbound) {
      if (rawStream.writeBufferLength <= ROOM_BYTES) this.#slow.delete(neighbour)
      else if (!this.#slow.has(neighbour)) full.push([neighbour, rawStream])
    }
    return full
  }
}

function firstOf(promises: Promise<void>[], limitMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, limitMs)
    void Promise.race(promises).then(() => {
      clearTimeout(timer)
      resolve()
    })
  })
}

/**
 * gossipsub's own limit resets the stream, which silences it for good; refusing a single frame costs only that frame.
 */
function boundQueues(streams: Map<string, OutboundStream>): void {
  const set = streams.set.bind(streams)
  streams.set = (neighbour, stream) => {
    const push = stream.pushPrefixed.bind(stream)
    stream.pushPrefixed = (bytes) => {
      if (stream.rawStream.writeBufferLength > QUEUE_MAX_BYTES) throw new Error('the gossip queue is full')
      push(bytes)
    }
    return set(neighbour, stream)
  }
}

/** Bounds the bytes kept for peers that missed a message, and the bytes of one answer to them. */
function boundCache(cache: Internals['mcache']): void {
  const sizeOf = (entry: { readonly message: { readonly data?: Uint8Array } } | undefined): number =>
    entry === undefined ? 0 : CACHED_COST_BYTES + (entry.message.data?.length ?? 0)
  let cachedBytes = 0
  let answerBytes = 0
  const put = cache.put.bind(cache)
  cache.put = (id, message, validated) => {
    const sizeBytes = sizeOf({ message })
    if (cachedBytes + sizeBytes > CACHE_MAX_BYTES) return false
    if (!put(id, message, validated)) return false
    cachedBytes += sizeBytes
    return true
  }
  const shift = cache.shift.bind(cache)
  cache.shift = () => {
    shift()
    cachedBytes = 0
    for (const entry of cache.msgs.values()) cachedBytes += sizeOf(entry)
  }
  const getWithIWantCount = cache.getWithIWantCount.bind(cache)
  cache.getWithIWantCount = (id, peer) => {
    const sizeBytes = sizeOf(cache.msgs.get(id))
    if (answerBytes > 0 && answerBytes + sizeBytes > ANSWER_MAX_BYTES) return null
    // All messages of one answer are collected in the same turn.
    if (answerBytes === 0) queueMicrotask(() => (answerBytes = 0))
    answerBytes += sizeBytes
    return getWithIWantCount(id, peer)
  }
}
