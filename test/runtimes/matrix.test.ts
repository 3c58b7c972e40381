import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Matrix } from './matrix.ts'
import type { MatrixContent } from './matrix-calls.ts'
import { ProcessPeer } from './process-peer.ts'
import { PeerTab } from './peer-tab.ts'
import { RUNTIMES } from './runtime.ts'
import type { Runtime } from './runtime.ts'

describe('one grid of Node, Deno, Bun and a tab', () => {
  const matrix = new Matrix()
  const processes: ProcessPeer[] = []
  let tab: PeerTab | undefined
  let root = ''
  let last: MatrixContent

  function start(runtime: Runtime): ProcessPeer {
    const started = new ProcessPeer(runtime)
    processes.push(started)
    return started
  }

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'gossipgrid-matrix-'))
    for (const runtime of RUNTIMES) {
      // One joins over TCP, the other over WebSockets.
      const over = (address: string): boolean => address.includes('/ws') === (runtime === 'bun')
      await matrix.open(start(runtime), { directory: join(root, runtime), over })
    }
    tab = await PeerTab.start()
    await matrix.open(tab)
  })
  afterAll(async () => {
    await tab?.abandon()
    await Promise.all(processes.map((each) => each.abandon()))
    await rm(root, { recursive: true, force: true })
  })

  it('is equal everywhere after each has written maps, counters, sets and documents', async () => {
    await matrix.write()
    await matrix.expectEqual()
  })

  it.each([...RUNTIMES, 'tab'])('heals a split between %s and the others without a loss', async (alone) => {
    await matrix.connected()
    await matrix.split(alone)
    await matrix.write()
    expect(await matrix.variants()).toBeGreaterThan(1)
    await matrix.heal()
    last = await matrix.expectEqual()
  })

  it('lets every process end by itself after its peer is closed', async () => {
    await matrix.close()
    const exits = (): string[] => processes.map(({ name, exitCode }) => `${name} ${exitCode}`)
    await expect.poll(exits).toEqual(RUNTIMES.map((runtime) => `${runtime} 0`))
  })

  it.each(RUNTIMES)('opens the disk of %s whole on another runtime', async (runtime) => {
    const next = start(RUNTIMES[(RUNTIMES.indexOf(runtime) + 1) % RUNTIMES.length]!)
    await next.ask('open', { self: next.name, directory: join(root, runtime), listen: [], join: [] })
    expect(await next.ask('content', null)).toEqual(last)
    await next.ask('close', null)
    expect(await next.ended).toBe(0)
  })
})
