import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { untilBeatMs } from './beat.ts'
import { gossipService } from './gossip.ts'
import { GOSSIP_HEARTBEAT_MS, withOneTimer } from './gossip-timers.ts'
import type { GossipTimers } from './gossip-timers.ts'

describe('the timers of gossipsub', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  /** As much of gossipsub as has timers. */
  class Service implements GossipTimers {
    status: GossipTimers['status'] = {}
    beats: number[] = []
    score: GossipTimers['score'] & { decayed: number } = {
      decayed: 0,
      background: () => (this.score.decayed += 1),
    }

    async start(): Promise<void> {
      Object.assign(this.score, { _backgroundInterval: setInterval(() => this.score.background(), 1000) })
      this.status = { heartbeatTimeout: setTimeout(() => this.#run(), 100), hearbeatStartMs: Date.now() + 100 }
    }

    async stop(): Promise<void> {
      clearInterval(this.score._backgroundInterval)
      this.status = {}
    }

    async heartbeat(): Promise<void> {
      this.beats.push(Date.now())
    }

    #run(): void {
      void this.heartbeat()
      const sinceMs = Date.now() - this.status.hearbeatStartMs!
      let afterMs = GOSSIP_HEARTBEAT_MS - (sinceMs % GOSSIP_HEARTBEAT_MS)
      if (afterMs < GOSSIP_HEARTBEAT_MS / 4) afterMs += GOSSIP_HEARTBEAT_MS
      Object.assign(this.status, { heartbeatTimeout: setTimeout(() => this.#run(), afterMs) })
    }
  }

  it('are one, which ends with the beat of the process, and scores decay with it', async () => {
    const service = withOneTimer(new Service())
    await vi.advanceTimersByTimeAsync(1234)
    await service.start()
    expect(vi.getTimerCount()).toBe(1)
    await vi.advanceTimersByTimeAsync(20_000)
    const beatMs = (Date.now() + untilBeatMs(GOSSIP_HEARTBEAT_MS)) % GOSSIP_HEARTBEAT_MS
    const phases = service.beats.slice(2).map((atMs) => atMs % GOSSIP_HEARTBEAT_MS)
    expect(phases.length).toBeGreaterThan(15)
    for (const phase of phases) expect(Math.abs(phase - beatMs)).toBeLessThanOrEqual(1)
    expect(service.score.decayed).toBe(service.beats.length)
  })

  it('end with it', async () => {
    const service = withOneTimer(new Service())
    await service.start()
    await service.stop()
    expect(vi.getTimerCount()).toBe(0)
  })

  it('have the names that are used here', () => {
    const start = Object.getPrototypeOf(gossipsubOf()).start.toString() as string
    for (const name of ['hearbeatStartMs', 'heartbeatTimeout', 'score.start']) expect(start).toContain(name)
    const { score } = gossipsubOf() as unknown as GossipTimers
    expect(score.background).toBeTypeOf('function')
    expect(Object.getPrototypeOf(score).start.toString()).toContain('_backgroundInterval')
  })

  function gossipsubOf(): object {
    const logger = Object.assign(() => undefined, {
      error: () => undefined,
      trace: () => undefined,
      newScope: () => logger,
    })
    const components = {
      logger: { forComponent: () => logger },
      peerId: {},
      connectionManager: {},
      registrar: {},
      peerStore: {},
    }
    const options = { channels: [], broadcastSizeMaxBytes: 1000, isMember: () => true }
    return gossipService(options)(components)
  }
})
