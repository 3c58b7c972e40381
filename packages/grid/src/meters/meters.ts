import { wallFromHlc } from '@gossipgrid/core'
import type { Effect, GridErrorCode, Input, PeerEvent, PeerId, StorageOperation } from '@gossipgrid/core'
import { DurableTimer } from './durable-timer.ts'
import { Histogram } from './histogram.ts'
import { LoopDelay } from './loop-delay.ts'

/** Messages of the grid that crossed a connection, and their bytes before encryption. */
export interface MessageCounts {
  sentMessages: number
  sentBytes: number
  receivedMessages: number
  receivedBytes: number
}

/** Counts what happens since opening. Frequent events are counted without allocating anything. */
export class Meters {
  readonly writes: { sets: number; deletes: number; refused: number; copiesTimeouts: number } = {
    sets: 0,
    deletes: 0,
    refused: 0,
    copiesTimeouts: 0,
  }
  readonly durable: DurableTimer = new DurableTimer()
  /** How long core takes for one message of a stream, and for one broadcast. */
  readonly streamApply: Histogram = new Histogram(0.00001, 20)
  readonly broadcastApply: Histogram = new Histogram(0.00001, 20)
  /** Time from the writer's timestamp of a broadcast row until the row is visible here. */
  readonly visible: Histogram = new Histogram(0.001, 18)
  /** Rows whose timestamp is later than their arrival. They count as 0 seconds. */
  visibleEarly = 0
  readonly store: Histogram = new Histogram(0.0001, 18)
  storedBytes = 0
  storeFailures = 0
  readonly streams: MessageCounts = noMessages()
  readonly broadcasts: MessageCounts = noMessages()
  /** Messages of streams by neighbour, while it is connected. */
  readonly neighbours: Map<PeerId, MessageCounts> = new Map()
  readonly sessions: { complete: number; broken: number; rowsSent: number; rowsReceived: number } = {
    complete: 0,
    broken: 0,
    rowsSent: 0,
    rowsReceived: 0,
  }
  /** Input from other peers that was refused, by error code. */
  readonly refused: Map<GridErrorCode, number> = new Map()
  connects = 0
  disconnects = 0
  redials = 0
  cutOffs = 0
  damagedBlobs = 0
  replicaIds = 0
  readonly loopDelay: LoopDelay = new LoopDelay()
  #wallMs = 0

  /** To be called before the peer takes an input. */
  stepping(wallMs: number): void {
    this.#wallMs = wallMs
  }

  /** To be called after the peer has taken an input, which began at `startMs`. */
  stepped(input: Input, startMs: number): void {
    switch (input.type) {
      case 'message':
        this.streamApply.observe((performance.now() - startMs) / 1000)
        received(this.streams, input.bytes)
        received(this.neighbours.get(input.from), input.bytes)
        break
      case 'broadcast':
      case 'direct':
        this.broadcastApply.observe((performance.now() - startMs) / 1000)
        received(this.broadcasts, input.bytes)
        break
      case 'connected':
        this.connects += 1
        this.neighbours.set(input.neighbour, noMessages())
        break
      case 'disconnected':
        this.disconnects += 1
        this.neighbours.delete(input.neighbour)
        break
      default:
    }
  }

  /** A broadcast row has become visible. */
  appeared(hlc: number): void {
    const tookMs = this.#wallMs - wallFromHlc(hlc)
    if (tookMs < 0) this.visibleEarly += 1
    this.visible.observe(Math.max(0, tookMs) / 1000)
  }

  /** Counts an effect that the peer asks for. */
  effect(effect: Effect): void {
    if (effect.type === 'send') {
      sent(this.streams, effect.bytes)
      sent(this.neighbours.get(effect.to), effect.bytes)
    } else if (effect.type === 'broadcast') sent(this.broadcasts, effect.bytes)
    else if (effect.type === 'direct') for (const _ of effect.to) sent(this.broadcasts, effect.bytes)
    else if (effect.type === 'redial') this.redials += 1
    else if (effect.type === 'refuse') this.cutOffs += 1
    else if (effect.type === 'event') this.#event(effect.event)
  }

  /** Counts a stored batch, whose writing began at `startMs`. */
  stored(batch: readonly StorageOperation[], startMs: number): void {
    this.store.observe((performance.now() - startMs) / 1000)
    for (const operation of batch) if (operation.type === 'put') this.storedBytes += operation.bytes.length
  }

  #event(event: PeerEvent): void {
    if (event.type === 'durable') this.durable.durable(event.writeId, performance.now())
    else if (event.type === 'session') {
      if (event.complete) this.sessions.complete += 1
      else this.sessions.broken += 1
      this.sessions.rowsSent += event.rowsSent
      this.sessions.rowsReceived += event.rowsReceived
    } else if (event.type === 'refused') {
      this.refused.set(event.error.code, (this.refused.get(event.error.code) ?? 0) + 1)
    } else if (event.type === 'damaged') this.damagedBlobs += 1
    else if (event.type === 'replica-id') this.replicaIds += 1
  }
}

function noMessages(): MessageCounts {
  return { sentMessages: 0, sentBytes: 0, receivedMessages: 0, receivedBytes: 0 }
}

function sent(counts: MessageCounts | undefined, bytes: Uint8Array): void {
  if (counts === undefined) return
  counts.sentMessages += 1
  counts.sentBytes += bytes.length
}

function received(counts: MessageCounts | undefined, bytes: Uint8Array): void {
  if (counts === undefined) return
  counts.receivedMessages += 1
  counts.receivedBytes += bytes.length
}
