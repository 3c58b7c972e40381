import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import type { Grid } from 'gossipgrid'

/** What a process of the bench is: nothing but Node, libp2p's modules, or a peer that joins by these addresses. */
export type IdleRole =
  | { readonly type: 'node' | 'libp2p' }
  | { readonly type: 'peer'; readonly join: readonly string[] }

/** What an idle process costs, since an earlier sample. */
export interface IdleSample {
  readonly neighbours: number
  readonly atMs: number
  readonly cpuMs: number
  readonly sentBytes: number
  /** How often the operating system has woken it up. */
  readonly wakeUps: number
  readonly rssBytes: number
}

export type IdleReport =
  | { readonly type: 'ready'; readonly addresses: readonly string[] }
  | { readonly type: 'sample'; readonly sample: IdleSample }

let grid: Grid | undefined

async function start(role: IdleRole): Promise<void> {
  if (role.type === 'peer') {
    const { openGrid } = await import('gossipgrid')
    const options = {
      listen: ['/ip4/127.0.0.1/tcp/0'],
      join: role.join,
      mdns: false,
      secret: 'no secret of idle peers',
    }
    grid = await openGrid({ name: 'idle', ...options })
  } else if (role.type === 'libp2p') {
    const modules = ['libp2p', '@libp2p/tcp', '@libp2p/noise', '@libp2p/yamux', '@libp2p/identify', '@libp2p/gossipsub']
    for (const name of modules) await import(name)
  }
  await delay(100)
  report({ type: 'ready', addresses: grid?.addresses ?? [] })
}

function sample(): IdleSample {
  const { user, system } = process.cpuUsage()
  const status = grid?.status()
  return {
    neighbours: status?.peers.filter(({ connected, self }) => connected && !self).length ?? 0,
    atMs: performance.now(),
    cpuMs: (user + system) / 1000,
    sentBytes: status?.traffic.sentBytes ?? 0,
    wakeUps: process.resourceUsage().voluntaryContextSwitches,
    rssBytes: process.memoryUsage.rss(),
  }
}

function report(message: IdleReport): void {
  process.send?.(message)
}

process.on('message', (message: IdleRole | 'sample') => {
  if (message === 'sample') report({ type: 'sample', sample: sample() })
  else void start(message)
})
process.on('disconnect', () => process.exit(0))
