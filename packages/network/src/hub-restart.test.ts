import { eventually } from '@gossipgrid/testing/network-conformance'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { BACKOFF_MIN_MS } from './backoff.ts'
import type { Libp2pNetwork } from './libp2p-port.ts'
import { libp2pNetwork } from './libp2p-network.ts'
import { Redialer } from './redialer.ts'

const TABS = 200
/** What a handshake takes at the hub, which does one after the other. */
const HANDSHAKE_MS = 20
/** How long an address that does not answer is tried at the most. */
const ANSWER_MAX_MS = 3000

/** Numbers in [0, 1) that are the same in each run, and lie evenly: every tab has others. */
function drawFor(tab: number): () => number {
  let turn = 0
  return () => ((tab + 1) * 0.618_033_988_749_895 + (turn += 1) * 0.414_213_562_373_095) % 1
}

/** A hub, and the redialers of many tabs that join by it. */
class Hub {
  readonly tabs: Redialer[] = []
  /** Milliseconds at which each tab came back. */
  readonly backAtMs: number[] = []
  /** The most handshakes that waited or ran at one time. */
  handshakesMax = 0
  /** Milliseconds at which each tab dialled first after it had lost the hub. */
  readonly firstDials = new Map<number, number>()
  #connected = new Set<number>()
  #isUp = true
  #life = 0
  #handshakes = 0
  #freeAtMs = 0

  constructor(members: number) {
    for (let tab = 0; tab < TABS; tab++) {
      this.tabs.push(
        new Redialer({
          dial: () => this.#dial(tab),
          isConnected: () => this.#connected.has(tab),
          mayDial: () => true,
          unreached: () => undefined,
          members: () => members,
          window: { dialsMax: 2 },
          random: drawFor(tab),
        }),
      )
    }
  }

  /** All tabs join, one after the other. */
  async start(): Promise<void> {
    for (const tab of this.tabs) {
      tab.start(['/p2p/hub'])
      await vi.advanceTimersByTimeAsync(HANDSHAKE_MS)
    }
    await vi.advanceTimersByTimeAsync(1000)
  }

  /** The hub stops, and starts again after so long. Notes what happens from the start on, for a minute. */
  async restart(downMs: number): Promise<void> {
    this.#isUp = false
    this.#life += 1
    this.#connected.clear()
    this.firstDials.clear()
    for (const tab of this.tabs) tab.lost('hub', 0)
    await vi.advanceTimersByTimeAsync(downMs)
    this.#isUp = true
    this.#handshakes = this.#freeAtMs = this.handshakesMax = 0
    const startMs = performance.now()
    while (performance.now() - startMs < 60_000) {
      const before = this.#connected.size
      await vi.advanceTimersByTimeAsync(10)
      for (let i = before; i < this.#connected.size; i++) this.backAtMs.push(performance.now() - startMs)
    }
    for (const tab of this.tabs) tab.stop()
  }

  async #dial(tab: number): Promise<string> {
    if (!this.firstDials.has(tab)) this.firstDials.set(tab, performance.now())
    if (!this.#isUp) {
      await pause(5)
      throw new Error('no answer')
    }
    const life = this.#life
    this.#handshakes += 1
    this.handshakesMax = Math.max(this.handshakesMax, this.#handshakes)
    this.#freeAtMs = Math.max(this.#freeAtMs, performance.now()) + HANDSHAKE_MS
    const waitMs = this.#freeAtMs - performance.now()
    await pause(Math.min(waitMs, ANSWER_MAX_MS))
    this.#handshakes -= 1
    if (life !== this.#life || waitMs > ANSWER_MAX_MS) throw new Error('too slow')
    this.#connected.add(tab)
    return 'hub'
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

describe('when a hub with 200 tabs restarts', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it.each([100, 1000, 5000, 20_000, 60_000])(
    'after %i ms, they dial it over at least 10 s, a few at once, and all are back within a minute',
    async (downMs) => {
      const hub = new Hub(TABS)
      await hub.start()
      await hub.restart(downMs)
      expect(hub.backAtMs).toHaveLength(TABS)
      const dialsAtMs = [...hub.firstDials.values()]
      expect(Math.max(...dialsAtMs) - Math.min(...dialsAtMs)).toBeGreaterThanOrEqual(10_000)
      expect(hub.handshakesMax).toBeLessThanOrEqual(32)
    },
    60_000,
  )

  it('in a small grid, a lost neighbour is dialled again at once', async () => {
    const hub = new Hub(8)
    await hub.start()
    await hub.restart(100)
    expect(hub.backAtMs[0]).toBeLessThan(600)
  })
})

describe('a peer that loses the hub', () => {
  const running: Libp2pNetwork[] = []
  afterEach(async () => {
    vi.restoreAllMocks()
    await Promise.all(running.splice(0).map((network) => network.stop()))
  })

  /** Starts a peer that knows of so many members. The hub cannot dial it. Calls `connected` whenever the hub is a neighbour. */
  async function start(
    members: number,
    join: readonly string[],
    listen: readonly string[],
    connected: () => void,
  ): Promise<Libp2pNetwork> {
    const channels = [{ topic: 'test', protocol: '/gossipgrid/test/1' }]
    const network = await libp2pNetwork({ channels, listen, join, mdns: false })
    running.push(network)
    const ignored = (): void => undefined
    await network.start({
      connected,
      disconnected: ignored,
      message: ignored,
      direct: ignored,
      broadcast: ignored,
      hostile: ignored,
      members: () => members,
    })
    return network
  }

  it('dials the hub at once in a small grid, and later in a large one: its network says how many members there are', async () => {
    const hub = await start(0, [], ['/ip4/127.0.0.1/tcp/0'], () => undefined)
    const connectedAtMs = { small: [] as number[], large: [] as number[] }
    const join = [hub.addresses()[0] as string]
    const small = await start(2, join, [], () => void connectedAtMs.small.push(performance.now()))
    const large = await start(10_000, join, [], () => void connectedAtMs.large.push(performance.now()))
    await eventually(() => hub.neighbours().length === 2, 'both have joined')
    // A sixth of the longest time: 5 s.
    vi.spyOn(Math, 'random').mockReturnValue(1 / 6)
    const lostAtMs = performance.now()
    hub.block([small.peerId, large.peerId])
    hub.unblock()
    await eventually(() => connectedAtMs.small.length === 2 && connectedAtMs.large.length === 2, 'both are back')
    expect(connectedAtMs.small[1]! - lostAtMs).toBeLessThan(connectedAtMs.large[1]! - lostAtMs)
    expect(connectedAtMs.large[1]! - lostAtMs).toBeGreaterThanOrEqual(5000 + BACKOFF_MIN_MS / 2)
  })
})
