import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Redialer } from './redialer.ts'

describe('the redialer', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  interface SetUp {
    readonly redialer: Redialer
    readonly connected: Set<string>
    readonly up: Set<string>
    readonly dials: string[]
    readonly reported: string[]
  }

  function setUp(): SetUp {
    const reported: string[] = []
    const connected = new Set<string>()
    const up = new Set<string>()
    const dials: string[] = []
    const redialer = new Redialer({
      dial: async (addresses) => {
        dials.push(addresses.join(' '))
        const peerId = addresses[0]?.split('/').at(-1) as string
        if (!up.has(peerId)) throw new Error('no answer')
        connected.add(peerId)
        return peerId
      },
      isConnected: (peerId) => connected.has(peerId),
      mayDial: () => true,
      unreached: (addresses, error) => reported.push(`${addresses.join()} ${(error as Error).message}`),
      members: () => 2,
      window: { dialsMax: 8 },
      random: () => 1,
    })
    return { redialer, connected, up, dials, reported }
  }

  /** A redialer whose dials last until they are ended, with so many at once. */
  function setUpSlow(dialsMax: number): { redialer: Redialer; running: Map<string, (peerId: string | Error) => void> } {
    const running = new Map<string, (peerId: string | Error) => void>()
    const redialer = new Redialer({
      dial: async (addresses) => {
        const { promise, resolve, reject } = Promise.withResolvers<string>()
        const name = addresses.join(' ')
        running.set(name, (end) => {
          running.delete(name)
          if (typeof end === 'string') resolve(end)
          else reject(end)
        })
        return promise
      },
      isConnected: () => false,
      mayDial: () => true,
      unreached: () => undefined,
      members: () => 2,
      window: { dialsMax },
      random: () => 1,
    })
    return { redialer, running }
  }

  it('reports an address to join by once, after some failures, and again after it has answered', async () => {
    const { redialer, up, connected, reported } = setUp()
    redialer.start(['/p2p/ada'])
    redialer.learn('ben', ['/p2p/ben'], 0)
    await vi.advanceTimersByTimeAsync(1000)
    expect(reported).toEqual([])
    await vi.advanceTimersByTimeAsync(600_000)
    expect(reported).toEqual(['/p2p/ada no answer'])
    up.add('ada')
    await vi.advanceTimersByTimeAsync(120_000)
    expect(connected.has('ada')).toBe(true)
    up.delete('ada')
    connected.delete('ada')
    await vi.advanceTimersByTimeAsync(600_000)
    expect(reported).toEqual(['/p2p/ada no answer', '/p2p/ada no answer'])
    redialer.stop()
  })

  it('rarely looks while nothing is missing, and dials soon after a loss', async () => {
    const { redialer, up, connected, dials } = setUp()
    up.add('ada')
    redialer.start(['/p2p/ada'])
    await vi.advanceTimersByTimeAsync(1000)
    const timers = vi.spyOn(globalThis, 'setTimeout')
    await vi.advanceTimersByTimeAsync(120_000)
    expect(timers.mock.calls.length).toBeLessThanOrEqual(5)
    timers.mockRestore()
    expect(dials).toHaveLength(1)
    connected.delete('ada')
    redialer.lost('ada', 0)
    await vi.advanceTimersByTimeAsync(3000)
    expect(connected.has('ada')).toBe(true)
    redialer.stop()
  })

  it('waits no longer for a peer that had failed before the peer itself connected', async () => {
    const { redialer, connected, dials } = setUp()
    redialer.start([])
    redialer.learn('ben', ['/p2p/ben'], 0)
    await vi.advanceTimersByTimeAsync(60_000)
    connected.add('ben')
    redialer.reached('ben')
    await vi.advanceTimersByTimeAsync(5000)
    connected.delete('ben')
    redialer.lost('ben', 0)
    dials.length = 0
    await vi.advanceTimersByTimeAsync(10_000)
    expect(dials.length).toBeGreaterThanOrEqual(3)
    redialer.stop()
  })

  it('dials a peer in time although addresses of others come all the while', async () => {
    const { redialer, up, dials } = setUp()
    redialer.start([])
    up.add('ada')
    redialer.learn('ada', ['/p2p/ada'], 0)
    for (let i = 0; i < 20; i++) {
      await vi.advanceTimersByTimeAsync(100)
      redialer.learn('ben', ['/p2p/ben'], 60_000)
    }
    expect(dials).toEqual(['/p2p/ada'])
    redialer.stop()
  })

  it('tries an address to join by again and again, more and more rarely, until a peer answers', async () => {
    const { redialer, connected, up, dials } = setUp()
    redialer.start(['/p2p/ada'])
    await vi.advanceTimersByTimeAsync(10_000)
    expect(dials.length).toBeGreaterThanOrEqual(4)
    expect(dials.length).toBeLessThanOrEqual(6)
    up.add('ada')
    await vi.advanceTimersByTimeAsync(31_000)
    expect(connected).toEqual(new Set(['ada']))
    const quiet = dials.length
    await vi.advanceTimersByTimeAsync(60_000)
    expect(dials.length).toBe(quiet)
    redialer.stop()
  })

  it('dials a lost neighbour again within a second', async () => {
    const { redialer, connected, up } = setUp()
    up.add('ben')
    redialer.start([])
    redialer.learn('ben', ['/p2p/ben'], 0)
    await vi.advanceTimersByTimeAsync(250)
    expect(connected).toEqual(new Set(['ben']))
    connected.delete('ben')
    redialer.lost('ben', 0)
    await vi.advanceTimersByTimeAsync(1000)
    expect(connected).toEqual(new Set(['ben']))
    redialer.stop()
  })

  it('forgets its waits when woken', async () => {
    const { redialer, connected, up, dials } = setUp()
    redialer.start(['/p2p/ada'])
    await vi.advanceTimersByTimeAsync(100_000)
    up.add('ada')
    const before = dials.length
    redialer.wake()
    await vi.advanceTimersByTimeAsync(1)
    expect(dials.length).toBe(before + 1)
    expect(connected).toEqual(new Set(['ada']))
    redialer.stop()
  })

  it('gives up a learnt peer after an hour, one to join by never', async () => {
    const { redialer, dials } = setUp()
    redialer.start(['/p2p/ada'])
    redialer.learn('ben', ['/p2p/ben'], 0)
    await vi.advanceTimersByTimeAsync(2 * 60 * 60 * 1000)
    dials.length = 0
    await vi.advanceTimersByTimeAsync(60_000)
    expect(new Set(dials)).toEqual(new Set(['/p2p/ada']))
    redialer.stop()
  })

  it('remembers a bounded number of peers and addresses', () => {
    const { redialer } = setUp()
    redialer.start([])
    for (let i = 0; i < 1000; i += 1) redialer.learn(`peer-${i}`, [`/p2p/peer-${i}`], 60_000)
    const remembered = Array.from({ length: 1000 }, (_, i) => redialer.addresses(`peer-${i}`).length)
    expect(remembered.reduce((sum, count) => sum + count)).toBe(256)
    const many = Array.from({ length: 100 }, (_, i) => `/ip4/10.0.0.${i}/tcp/1/p2p/peer-999`)
    redialer.learn('peer-999', many, 60_000)
    expect(redialer.addresses('peer-999').length).toBe(16)
    redialer.stop()
  })

  it('runs as many dials at once as the window allows: addresses to join by first, then requests, then the peers that failed least', async () => {
    const { redialer, running } = setUpSlow(2)
    redialer.start(['/p2p/ada', '/p2p/ben'])
    redialer.learn('cora', ['/p2p/cora'], 0)
    const request = redialer.request('/p2p/dora')
    expect([...running.keys()]).toEqual(['/p2p/ada', '/p2p/ben'])
    running.get('/p2p/ada')!(new Error('no answer'))
    await vi.advanceTimersByTimeAsync(1)
    expect([...running.keys()]).toEqual(['/p2p/ben', '/p2p/dora'])
    running.get('/p2p/dora')!('dora')
    expect(await request).toBe('dora')
    await vi.advanceTimersByTimeAsync(1)
    expect([...running.keys()]).toEqual(['/p2p/ben', '/p2p/cora'])
    running.get('/p2p/cora')!(new Error('no answer'))
    await vi.advanceTimersByTimeAsync(10_000)
    expect([...running.keys()]).toEqual(['/p2p/ben', '/p2p/ada'])
    running.get('/p2p/ada')!(new Error('no answer'))
    redialer.learn('elsa', ['/p2p/elsa'], 0)
    await vi.advanceTimersByTimeAsync(200)
    expect([...running.keys()]).toEqual(['/p2p/ben', '/p2p/elsa'])
    redialer.stop()
  })

  it('dials a peer once for all requests, by all their addresses', async () => {
    const { redialer, running } = setUpSlow(1)
    redialer.start(['/p2p/ada'])
    const requests = ['/a/p2p/ben', '/b/p2p/ben', '/a/p2p/ben'].map((address) => redialer.request(address))
    running.get('/p2p/ada')!('ada')
    await vi.advanceTimersByTimeAsync(1)
    running.get('/a/p2p/ben /b/p2p/ben')!('ben')
    expect(await Promise.all(requests)).toEqual(['ben', 'ben', 'ben'])
    redialer.stop()
  })

  it('does not dial for a request that was aborted while it waited, and dials for the others', async () => {
    const { redialer, running } = setUpSlow(1)
    redialer.start(['/p2p/ada'])
    const aborted = redialer.request('/a/p2p/ben', AbortSignal.abort())
    const other = redialer.request('/b/p2p/ben')
    running.get('/p2p/ada')!('ada')
    await expect(aborted).rejects.toMatchObject({ code: 'NETWORK_DIAL_FAILED' })
    await vi.advanceTimersByTimeAsync(1)
    running.get('/b/p2p/ben')!('ben')
    expect(await other).toBe('ben')
    redialer.stop()
  })

  it('rejects the requests that wait when it stops', async () => {
    const { redialer } = setUpSlow(1)
    redialer.start(['/p2p/ada'])
    const request = redialer.request('/p2p/ben')
    redialer.stop()
    await expect(request).rejects.toMatchObject({ code: 'NETWORK_DIAL_FAILED' })
    await expect(redialer.request('/p2p/ben')).rejects.toMatchObject({ code: 'NETWORK_DIAL_FAILED' })
  })
})
