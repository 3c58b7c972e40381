import { untilBeatMs } from './beat.ts'

/** Between two heartbeats of gossipsub. */
export const GOSSIP_HEARTBEAT_MS = 1000

/** The timers of gossipsub, below its public type. */
export interface GossipTimers {
  readonly status: { readonly heartbeatTimeout?: ReturnType<typeof setTimeout>; hearbeatStartMs?: number }
  readonly score: { readonly _backgroundInterval?: ReturnType<typeof setInterval>; background(): void }
  start(): Promise<void>
  stop(): Promise<void>
  heartbeat(): Promise<void>
}

/**
 * Scores decay with the heartbeat, and not by a timer of their own, and the heartbeat comes with the beat of this process.
 * gossipsub's `stop` forgets the timer of its next heartbeat, which would keep the process alive for up to a second.
 */
export function withOneTimer<Service extends object>(service: Service): Service {
  const timers = service as unknown as GossipTimers
  const start = timers.start.bind(service)
  timers.start = async () => {
    await start()
    clearInterval(timers.score._backgroundInterval)
    timers.status.hearbeatStartMs = Date.now() + untilBeatMs(GOSSIP_HEARTBEAT_MS) - GOSSIP_HEARTBEAT_MS
  }
  const heartbeat = timers.heartbeat.bind(service)
  timers.heartbeat = () => {
    timers.score.background()
    return heartbeat()
  }
  const stop = timers.stop.bind(service)
  timers.stop = () => {
    const { heartbeatTimeout } = timers.status
    const stopped = stop()
    clearTimeout(heartbeatTimeout)
    return stopped
  }
  return service
}
