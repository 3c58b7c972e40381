import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Redialer } from './redialer.ts'

describe('the redialer', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  function setUp(): { redialer: Redialer; connected: Set<string>; up: Set<string>; dials: string[] } {
    const connected = new Set<string>()
    const up = new Set<string>()
    const dials: string[] = []
    const redialer = new Redialer({
      dial: async (addresses) => {
        dials.push(addresses.join(' '))
        const peerId = addresses[0]?.split('/').at(-1) as string
        if (!up.has(peerId)) throw new Error('nobody there')
        connected.add(peerId)
        return peerId
      },
      isConnected: (peerId) => connected.has(peerId),
      mayDial: () => true,
      random: () => 1,
    })
    return { redialer, connected, up, dials }
  }

  it('tries an address to join by again and again, ever more rarely, until somebody is there', async () => {
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
})
