/**
 * `left-alive.test.ts` runs it under each server runtime. It opens and closes grids, and prints one line of JSON: for each case what
 * would keep the process alive after `close`. With the name of a case it tries that one alone.
 */
import { createServer } from 'node:net'
import process from 'node:process'
import type { Grid, OpenGridOptions } from 'gossipgrid'
import { watchTimers } from './watched-timers.ts'

const timers = watchTimers()
const { openGrid } = await import('gossipgrid')
const { openRelay } = await import('gossipgrid/relay')
const { Doc } = await import('yjs')

const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
const TCP = '/ip4/127.0.0.1/tcp/0'

function open(options: Partial<OpenGridOptions> = {}): Promise<Grid> {
  return openGrid({ name: 'left', mdns: false, logger: quiet, listen: [TCP, `${TCP}/ws`], ...options })
}

async function met(over: '/ws' | ''): Promise<[Grid, Grid]> {
  const one = await open({ listen: [TCP + over] })
  const other = await open({ listen: [TCP + over], join: one.addresses })
  await other.ready()
  return [one, other]
}

/** Calls and loops that wait, each for something that does not come. Closing ends them. */
async function waiting(grid: Grid): Promise<void> {
  const map = grid.map<number>('m')
  const forgotten = (promise: Promise<unknown>): void => void promise.catch(() => undefined)
  const loop = async (): Promise<void> => {
    for await (const _ of map.changes({ initial: true })) await map.get('k')
  }
  const spread = grid.map<number>('spread', { mode: 'partitioned' })
  forgotten(loop())
  forgotten(map.set('k', 1, { copies: 5, timeoutMs: 60_000 }))
  forgotten(spread.set('k', 1, { copies: 5, timeoutMs: 60_000 }))
  forgotten(spread.get('k', { timeoutMs: 60_000 }))
  forgotten(spread.live({ limit: 5 }))
  forgotten(map.live({}))
  forgotten(grid.leave({ timeoutMs: 60_000 }).catch(() => undefined))
  const { awareness } = await grid.doc('d', { doc: new Doc() })
  awareness.setLocalState({ name: 'ada' })
  awareness.setLocalState({ name: 'ben' })
  const presence = grid.presence<{ x: number }>()
  for (let x = 0; x < 3; x++) presence.set({ x })
  grid.topic('t').on('message', () => undefined)
  grid.on('convergence', () => undefined)
  grid.metrics()
}

const CASES: Readonly<Record<string, () => Promise<void>>> = {
  'a peer alone': async () => {
    await (await open()).close()
  },
  'two peers over TCP': async () => {
    for (const grid of await met('')) await grid.close()
  },
  'two peers over WebSockets, at once': async () => {
    await Promise.all((await met('/ws')).map((grid) => grid.close()))
  },
  'peers that are busy': async () => {
    const grids = await met('')
    await grids[0].map('m').setMany(Array.from({ length: 5000 }, (_, i) => [`k${i}`, i] as const))
    await Promise.all(grids.map((grid) => grid.close()))
  },
  'a peer with calls that wait': async () => {
    const [one, other] = await met('')
    await waiting(one)
    await Promise.all([one.close(), other.close()])
  },
  'a peer that is disconnected': async () => {
    const [one, other] = await met('')
    await one.disconnect()
    await Promise.all([one.close(), other.close()])
  },
  'an address to join where nothing listens': async () => {
    await (await open({ join: ['/ip4/127.0.0.1/tcp/1'] })).close()
  },
  'an address to join that says nothing': async () => {
    const server = createServer((socket) => void socket.resume().on('error', () => undefined)).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const { port } = server.address() as { port: number }
    const grids = await Promise.all(['', '/ws'].map((end) => open({ join: [`/ip4/127.0.0.1/tcp/${port}${end}`] })))
    await new Promise((resolve) => server.once('connection', resolve))
    await Promise.all(grids.map((grid) => grid.close()))
    await new Promise((resolve) => server.close(resolve))
  },
  'a relay': async () => {
    const relay = await openRelay({ listen: [`${TCP}/ws`] })
    await relay.close()
  },
}

const [only] = process.argv.slice(2)
const left: Record<string, readonly string[]> = {}
for (const [name, run] of Object.entries(CASES)) {
  if (only !== undefined && only !== name) continue
  await run()
  // What ends by itself within a few turns.
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
  left[name] = [...timers.left(), ...resources()]
  timers.forget()
}
console.log(JSON.stringify(left))

/** Sockets and the like, where the runtime tells. The pipes to the parent process stay open. */
function resources(): readonly string[] {
  const { getActiveResourcesInfo } = process as { getActiveResourcesInfo?: () => string[] }
  if (!('node' in process.versions) || 'deno' in process.versions || 'bun' in process.versions) return []
  return (getActiveResourcesInfo?.() ?? []).filter((name) => /Socket|Server|Stream|Handle|UDP/.test(name))
}
