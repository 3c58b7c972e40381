import { memoryNetworkHub } from '@gossipgrid/testing/memory-network'
import type { MemoryNetworkHub } from '@gossipgrid/testing/memory-network'
import { memoryStorage } from '@gossipgrid/storage'
import type { Network, Storage } from '@gossipgrid/core'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Grid } from './grid.ts'
import { openGrid } from './open-grid.ts'
import type { OpenGridOptions } from './open-grid-options.ts'

const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
/** The longest that `close` takes, as its documentation says. */
const CLOSE_MAX_MS = 20_000

type Step = 'read' | 'list' | 'write' | 'close' | 'make' | 'start' | 'addresses' | 'publish' | 'stop'
type Fault = 'throws' | 'hangs'
const FAULT = new Error('injected')

/** The parts of a grid, which note what is done with them, and of which one step can be made to fail. */
class FaultyPorts {
  readonly calls: string[] = []
  readonly faults = new Map<Step, Fault>()
  /** Called when a step is reached that hangs. */
  onHang: () => void = () => undefined
  /** Lets what hangs go on. */
  readonly release = Promise.withResolvers<void>()
  readonly #memory = memoryStorage()
  readonly #network: Network

  constructor(hub: MemoryNetworkHub = memoryNetworkHub()) {
    this.#network = hub.network({})
  }

  readonly storage: Storage = {
    persistent: true,
    read: (key) => this.#step('read', () => this.#memory.read(key)),
    list: (prefix) => this.#step('list', () => this.#memory.list(prefix)),
    write: (batch, options) => this.#step('write', () => this.#memory.write(batch, options)),
    close: () => this.#step('close', () => Promise.resolve()),
  }

  make = (): Promise<Network & { exportPrivateKey(): Uint8Array }> => {
    const network = this.#network
    return this.#step('make', async () => ({
      peerId: network.peerId,
      start: (events) => this.#step('start', () => network.start(events)),
      stop: () => this.#step('stop', () => network.stop()),
      publish: (bytes) => this.#step('publish', () => network.publish(bytes)),
      send: (to, bytes) => network.send(to, bytes),
      sendDirect: (to, bytes) => network.sendDirect(to, bytes),
      dial: (address, options) => network.dial(address, options),
      redial: (neighbour) => network.redial(neighbour),
      refuse: (neighbour, refusedMs) => network.refuse(neighbour, refusedMs),
      traffic: () => network.traffic(),
      addresses: () => {
        if (this.faults.get('addresses') === 'throws') throw FAULT
        return network.addresses()
      },
      exportPrivateKey: () => new Uint8Array(4),
    }))
  }

  open(options: Partial<OpenGridOptions> = {}): Promise<Grid> {
    return openGrid({ name: 'faulty', logger: quiet, storage: this.storage, network: this.make, ...options })
  }

  count(call: string): number {
    return this.calls.filter((made) => made === call).length
  }

  async #step<T>(step: Step, work: () => Promise<T>): Promise<T> {
    this.calls.push(step)
    const fault = this.faults.get(step)
    if (fault === 'throws') {
      // What cannot be closed in good order is closed all the same; what fails to open is not open.
      if (step === 'stop' || step === 'close') await work()
      throw FAULT
    }
    if (fault === 'hangs') {
      this.onHang()
      await this.release.promise
    }
    return work()
  }
}

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

const realTimeout = setTimeout

/** How a promise settles while time passes, and after how many milliseconds; as `open` if it does not within a minute. */
async function outcome(promise: Promise<unknown>): Promise<{ afterMs: number; error: unknown }> {
  const startMs = performance.now()
  let settled: { afterMs: number; error: unknown } | undefined
  promise.then(
    () => (settled = { afterMs: performance.now() - startMs, error: undefined }),
    (error: unknown) => (settled = { afterMs: performance.now() - startMs, error }),
  )
  for (let passedMs = 0; settled === undefined && passedMs < 60_000; passedMs += 50) {
    await vi.advanceTimersByTimeAsync(50)
    // Keys are derived by threads of their own, which take real time.
    await new Promise((resolve) => realTimeout(resolve, 1))
  }
  return settled ?? { afterMs: Infinity, error: 'open' }
}

const OPENING: readonly Step[] = ['read', 'make', 'write', 'list', 'start', 'addresses']

describe('an opening that fails', () => {
  it.each(OPENING)(
    'when %s throws: everything is closed once, no timer is left, and opening again works',
    async (step) => {
      const parts = new FaultyPorts()
      parts.faults.set(step, 'throws')
      expect(await outcome(parts.open())).toMatchObject({ error: FAULT })
      expect(parts.count('close')).toBe(1)
      expect(parts.count('stop')).toBe(step === 'read' || step === 'make' ? 0 : 1)
      expect(vi.getTimerCount()).toBe(0)
      const next = await new FaultyPorts().open()
      await next.close()
      expect(vi.getTimerCount()).toBe(0)
    },
  )

  it.each(OPENING.filter((step) => step !== 'addresses'))(
    'when %s hangs and the signal comes: it rejects with ABORTED, everything is closed, and what comes late as well',
    async (step) => {
      const parts = new FaultyPorts()
      const abort = new AbortController()
      parts.faults.set(step, 'hangs')
      parts.onHang = () => queueMicrotask(() => abort.abort())
      expect(await outcome(parts.open({ signal: abort.signal }))).toMatchObject({ error: { code: 'ABORTED' } })
      expect(parts.count('close')).toBe(1)
      parts.release.resolve()
      await vi.advanceTimersByTimeAsync(100)
      expect(parts.count('stop')).toBe(step === 'read' ? 0 : 1)
      expect(parts.count('close')).toBe(1)
      expect(vi.getTimerCount()).toBe(0)
    },
  )

  it.each<[Step, Fault]>([
    ['stop', 'throws'],
    ['stop', 'hangs'],
    ['close', 'throws'],
    ['close', 'hangs'],
  ])(
    'and whose clean-up fails as well, when %s %s, tells why it failed first, and closes the rest',
    async (step, fault) => {
      const parts = new FaultyPorts()
      parts.faults.set('start', 'throws')
      parts.faults.set(step, fault)
      expect(await outcome(parts.open())).toMatchObject({ error: FAULT })
      expect([parts.count('stop'), parts.count('close')]).toEqual([1, 1])
      expect(vi.getTimerCount()).toBe(0)
    },
  )

  it('for its options closes the store that it was given', async () => {
    const parts = new FaultyPorts()
    expect(await outcome(parts.open({ weight: -1 }))).toMatchObject({ error: { code: 'INVALID_OPTION' } })
    expect(parts.calls).toEqual(['close'])
  })

  it('for a signal that was aborted before closes the store that it was given', async () => {
    const parts = new FaultyPorts()
    expect(await outcome(parts.open({ signal: AbortSignal.abort() }))).toMatchObject({ error: { code: 'ABORTED' } })
    expect(parts.calls).toEqual(['close'])
  })
})

describe('closing', () => {
  it.each<[string, boolean, Step, Fault, unknown]>([
    ['close', false, 'stop', 'throws', FAULT],
    ['close', false, 'stop', 'hangs', { code: 'CLOSE_INCOMPLETE' }],
    ['close', false, 'close', 'throws', FAULT],
    ['close', false, 'close', 'hangs', { code: 'CLOSE_INCOMPLETE' }],
    ['close', false, 'publish', 'hangs', undefined],
    ['leave', true, 'stop', 'throws', FAULT],
    ['leave', true, 'close', 'hangs', { code: 'CLOSE_INCOMPLETE' }],
    ['leave', true, 'publish', 'hangs', undefined],
  ])('by %s goes on to its end (for good: %s) when %s %s', async (_, left, step, fault, wanted) => {
    const parts = new FaultyPorts()
    const grid = await parts.open()
    let reported = 0
    grid.on('close', () => void (reported += 1))
    await grid.map('m').set('k', 'v')
    parts.faults.set(step, fault)
    const { error, afterMs } = await outcome(left ? grid.leave() : grid.close())
    if (wanted === undefined) expect(error).toBeUndefined()
    else expect(error).toMatchObject(wanted as object)
    expect(afterMs).toBeLessThanOrEqual(CLOSE_MAX_MS)
    expect([parts.count('stop'), parts.count('close'), reported]).toEqual([1, 1, 1])
    expect(() => grid.map('other')).toThrow(expect.objectContaining({ code: 'CLOSED' }))
    parts.release.resolve()
    await vi.advanceTimersByTimeAsync(1000)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('tells of several failures in one error', async () => {
    const parts = new FaultyPorts()
    const grid = await parts.open()
    parts.faults.set('stop', 'throws').set('close', 'hangs')
    const { error } = await outcome(grid.close())
    expect(error).toMatchObject({
      code: 'CLOSE_INCOMPLETE',
      message: 'injected; the store did not close within 4000 ms',
    })
  })

  it.each([
    ['close', false],
    ['leave', true],
  ])('by %s while the disk hangs ends in time, acknowledges nothing, and says what is not stored', async (_, left) => {
    const parts = new FaultyPorts()
    const grid = await parts.open()
    const document = await grid.doc('notes')
    parts.faults.set('write', 'hangs').set('close', 'hangs')
    document.y.getText('body').insert(0, 'typed')
    const settled: string[] = []
    for (const key of ['a', 'b']) {
      grid
        .map('m')
        .set(key, 'v')
        .then(
          () => settled.push('acknowledged'),
          ({ code }: { code: string }) => settled.push(code),
        )
    }
    const { error, afterMs } = await outcome(left ? grid.leave() : grid.close())
    expect(afterMs).toBeLessThanOrEqual(CLOSE_MAX_MS)
    expect(error).toMatchObject({
      code: 'CLOSE_INCOMPLETE',
      message: expect.stringMatching(/\d+ writes were not stored in time; the store did not close within/) as string,
    })
    expect(settled).toEqual(['CLOSED', 'CLOSED'])
    parts.release.resolve()
    await vi.advanceTimersByTimeAsync(1000)
    expect(settled).toEqual(['CLOSED', 'CLOSED'])
    expect(vi.getTimerCount()).toBe(0)
  })

  it.each([
    ['hangs', 'CLOSED'],
    ['throws', 'STORAGE_FAILED'],
  ] as const)(
    'by leave while the disk %s and no more writes may wait for it closes everything, and the others learn it',
    async (fault, code) => {
      const hub = memoryNetworkHub()
      const parts = new FaultyPorts(hub)
      const grid = await parts.open()
      const network = hub.network({ join: grid.addresses })
      const other = await openGrid({ name: 'faulty', logger: quiet, network: () => Promise.resolve(network) })
      await vi.advanceTimersByTimeAsync(20_000)
      parts.faults.set('write', fault)
      const map = grid.map<Uint8Array>('m')
      const value = new Uint8Array(512 * 1024)
      const refusals: string[] = []
      while (refusals.at(-1) !== 'BACKLOG_FULL') {
        for (let i = 0; i < 16; i++) {
          map.set(`key ${i}`, value).catch((refusal: { code: string }) => refusals.push(refusal.code))
        }
        await Promise.resolve()
      }
      const { error, afterMs } = await outcome(grid.leave())
      expect(afterMs).toBeLessThanOrEqual(CLOSE_MAX_MS)
      if (fault === 'throws') expect(error).toBeUndefined()
      else
        expect(error).toMatchObject({
          message: expect.stringMatching(/^\d+ writes were not stored in time$/) as string,
        })
      expect(new Set(refusals)).toEqual(new Set(['BACKLOG_FULL', code]))
      expect([parts.count('stop'), parts.count('close')]).toEqual([1, 1])
      expect(other.members.find(({ peerId }) => peerId === grid.peerId)).toMatchObject({ state: 'gone' })
      parts.release.resolve()
      await outcome(other.close())
      await vi.advanceTimersByTimeAsync(1000)
      expect(vi.getTimerCount()).toBe(0)
    },
  )

  it('while the store refuses writes ends all the same: those who wrote know already', async () => {
    const parts = new FaultyPorts()
    const said: string[] = []
    const grid = await parts.open({ logger: { ...quiet, error: (line) => void said.push(line) } })
    parts.faults.set('write', 'throws')
    await expect(grid.map('m').set('k', 'v')).rejects.toMatchObject({ code: 'STORAGE_FAILED' })
    expect(await outcome(grid.close())).toMatchObject({ error: undefined })
    expect([parts.count('stop'), parts.count('close')]).toEqual([1, 1])
    expect(said.at(-1)).toBe('closing although some writes could not be stored')
  })

  it('refuses what is asked for in the same turn', async () => {
    const grid = await new FaultyPorts().open()
    const [counter, map] = [grid.counter('c'), grid.map('m')]
    const closing = grid.close()
    await expect(counter.increment()).rejects.toMatchObject({ code: 'CLOSED' })
    await expect(grid.doc('notes')).rejects.toMatchObject({ code: 'CLOSED' })
    expect(await outcome(closing)).toMatchObject({ error: undefined })
    await expect(map.set('k', 'v')).rejects.toMatchObject({ code: 'CLOSED' })
  })

  it('twice, or by leave after close, is one closing', async () => {
    const parts = new FaultyPorts()
    const grid = await parts.open()
    const all = Promise.all([grid.close(), grid.close(), grid.leave()])
    expect(await outcome(all)).toMatchObject({ error: undefined })
    await grid.close()
    expect([parts.count('stop'), parts.count('close')]).toEqual([1, 1])
  })

  it('goes on though a listener of the last event throws', async () => {
    const parts = new FaultyPorts()
    const grid = await parts.open()
    grid.on('close', () => {
      throw new Error('not today')
    })
    expect(await outcome(grid.close())).toMatchObject({ error: undefined })
    expect(parts.count('close')).toBe(1)
  })
})
