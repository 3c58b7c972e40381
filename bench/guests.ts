import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { openGrid } from 'gossipgrid'
import { covers } from '../packages/grid/src/guests/covering.ts'
import { encodeMemberMessage } from '../packages/grid/src/guests/messages.ts'
import { GuestReads } from '../packages/grid/src/guests/serving/guest-reads.ts'
import type { Bench, Figures } from './bench.ts'
import { withCompiled } from './compiled.ts'
import type { GuestsAnswer, GuestsRequest } from './guests-program.ts'

const GUESTS = 1000
const ENTRIES = 100
const CHANGES = 20
const SETTLE_MS = 10_000
const IDLE_MS = 20_000
/** Rows of the map that is loaded. */
const FILTERED_ROWS = 5000
const FILTERED_ROUNDS = 30

/** A thousand guests at one member: what each costs, and how fast a change of a shared map reaches all. */
export const guests: Bench = {
  name: 'guests',
  summary: '1,000 guests with 100 entries each at one member: memory, changes of a shared map, idle CPU, filtering',
  runsDefault: 1,
  run: async (progress) => ({
    ...(await withCompiled('guests-program.ts', (program) => crowd(program, progress))),
    ...(await filtering()),
  }),
}

async function crowd(program: string, progress: (line: string) => void): Promise<Figures> {
  const member = new GuestsProcess(program)
  const others = new GuestsProcess(program)
  try {
    const { address, passes } = await member.ask({ type: 'member', guests: GUESTS, entries: ENTRIES })
    await member.ask({ type: 'write', value: 0 })
    const before = await member.ask({ type: 'memory' })
    const cpuBefore = await member.ask({ type: 'cpu' })
    progress(`the member has ${GUESTS * ENTRIES} entries`)
    const startMs = performance.now()
    await others.ask({ type: 'guests', address: address!, passes: passes! })
    const connectMs = performance.now() - startMs
    progress(`${GUESTS} guests have what their passes cover after ${Math.round(connectMs / 1000)} s`)
    await delay(SETTLE_MS)
    const cpuConnected = await member.ask({ type: 'cpu' })
    const connected = await member.ask({ type: 'memory' })
    const took: number[] = []
    let lost = 0
    for (let value = 1; value <= CHANGES; value++) {
      const arrival = others.ask({ type: 'await', value })
      const { atMs } = await member.ask({ type: 'write', value })
      const arrived = await arrival
      took.push(arrived.atMs! - atMs!)
      lost = arrived.lost!
      await delay(200)
    }
    await delay(SETTLE_MS)
    const idleBefore = await member.ask({ type: 'cpu' })
    const idleStartMs = performance.now()
    await delay(IDLE_MS)
    const idleAfter = await member.ask({ type: 'cpu' })
    const idleMs = performance.now() - idleStartMs
    took.sort((a, b) => a - b)
    return {
      guestKilobytes: (connected.liveBytes! - before.liveBytes!) / GUESTS / 1000,
      guestRssKilobytes: (connected.rssBytes! - before.rssBytes!) / GUESTS / 1000,
      guestConnectMs: connectMs / GUESTS,
      guestConnectCpuMs: (cpuConnected.cpuMs! - cpuBefore.cpuMs!) / GUESTS,
      guestsLost: lost,
      changeToAllP50Ms: took[Math.floor(took.length / 2)]!,
      changeToAllMaxMs: took.at(-1)!,
      idleCpuPercent: (100 * (idleAfter.cpuMs! - idleBefore.cpuMs!)) / idleMs,
    }
  } finally {
    member.end()
    others.end()
  }
}

/** Which share of the work of a first load, without the network, goes into asking what the grants cover. */
async function filtering(): Promise<Figures> {
  const grid = await openGrid({ name: 'bench of filtering', listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false })
  try {
    const rows = Array.from(
      { length: FILTERED_ROWS },
      (_, i) => [`u1/${i}`, { title: `todo ${i}`, done: false }] as const,
    )
    await grid.map('todos').setMany(rows)
    const { peer } = grid.pump
    const grants = [{ map: 'todos', prefix: 'u1/', may: 'write' }] as const
    const reads = new GuestReads(peer, () => grid.pump.wallMs, grants, new Map())
    const session = (): void => {
      reads.restart('todos')
      for (let piece = reads.next(); piece !== undefined; piece = reads.next()) {
        if (piece === 'looking') continue
        const { partition: _, sealed: __, ...rest } = piece
        encodeMemberMessage({ type: 'rows', ...rest, cursor: undefined })
      }
    }
    const keys = rows.map(([key]) => key)
    const filter = (): void => keys.forEach((key) => covers(grants, 'read', 'todos', key))
    return { filteringPercent: (100 * medianMs(filter)) / medianMs(session) }
  } finally {
    await grid.close()
  }
}

function medianMs(run: () => void): number {
  const took: number[] = []
  for (let i = 0; i < FILTERED_ROUNDS; i++) {
    const startMs = performance.now()
    run()
    took.push(performance.now() - startMs)
  }
  return took.toSorted((a, b) => a - b)[FILTERED_ROUNDS >> 1]!
}

class GuestsProcess {
  readonly #child: ChildProcess

  constructor(program: string) {
    this.#child = fork(program, [], { execArgv: ['--expose-gc'], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  }

  async ask(request: GuestsRequest): Promise<GuestsAnswer> {
    this.#child.send(request)
    const ended = once(this.#child, 'exit').then(() => {
      throw new Error('a process of the bench has ended')
    })
    const [answer] = (await Promise.race([once(this.#child, 'message'), ended])) as [GuestsAnswer]
    return answer
  }

  end(): void {
    this.#child.kill('SIGKILL')
  }
}
