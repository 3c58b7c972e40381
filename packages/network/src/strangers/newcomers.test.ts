import { TypedEventEmitter } from '@libp2p/interface'
import type { Connection, MultiaddrConnection } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Allowance, Cost } from './allowance.ts'
import { Newcomers } from './newcomers.ts'
import type { Newcomer } from './newcomers.ts'

class Arrived extends TypedEventEmitter<{ close: Event }> {
  readonly direction = 'inbound'
  readonly remoteAddr
  open = true

  constructor(address: string) {
    super()
    this.remoteAddr = multiaddr(address)
  }

  abort(): void {
    this.open = false
    this.safeDispatchEvent('close')
  }
}

const newcomers = { current: new Newcomers() }

/** Opens a connection from an address, and takes it as far as `stage`. */
function arrive(host: string, stage: Parameters<Newcomer['advance']>[0] = 'silent'): Arrived {
  const arrived = new Arrived(`/${host.includes(':') ? 'ip6' : 'ip4'}/${host}/tcp/4000`)
  newcomers.current.add(arrived as unknown as MultiaddrConnection, new Allowance())?.advance(stage)
  return arrived
}

function prove(arrived: Arrived): void {
  newcomers.current.proven({ maConn: arrived } as unknown as Connection)
}

const times = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i))
const openOf = (all: readonly Arrived[]): number => all.filter(({ open }) => open).length

describe('newcomers', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    newcomers.current = new Newcomers()
  })
  afterEach(() => void vi.useRealTimers())

  it('have a time limit for their proof, which members do not have', () => {
    const [stranger, member] = [arrive('10.0.0.1', 'encrypted'), arrive('10.0.0.2', 'encrypted')]
    prove(member)
    vi.advanceTimersByTime(60_000)
    expect([stranger.open, member.open]).toEqual([false, true])
    expect(newcomers.current.size).toBe(0)
  })

  it('that send nothing, from one address or from thousands, are few at any time', () => {
    const fromOne = times(2000, () => arrive('10.0.0.1'))
    expect(openOf(fromOne)).toBe(48)
    const fromMany = times(2000, (i) => arrive(`10.1.${i >> 8}.${i & 255}`))
    expect(openOf([...fromOne, ...fromMany])).toBe(64)
  })

  it('of one address replace each other, and none of another address', () => {
    const honest = arrive('10.0.0.2')
    const strangers = times(1000, () => arrive('10.0.0.1', 'encrypted'))
    expect(openOf(strangers)).toBe(48)
    expect(honest.open).toBe(true)
  })

  it('of one address in IPv6 are those of one network', () => {
    const strangers = times(1000, (i) => arrive(`2001:db8:1:2::${(i + 1).toString(16)}`, 'greeted'))
    expect(openOf(strangers)).toBe(48)
  })

  it('that have sent nothing for a second are dropped before those that have', () => {
    const silent = times(40, (i) => arrive(`10.2.0.${i}`))
    vi.advanceTimersByTime(2000)
    const honest = times(20, () => arrive('10.0.0.2', 'greeted'))
    times(40, (i) => arrive(`10.3.0.${i}`))
    expect(openOf(honest)).toBe(20)
    expect(openOf(silent)).toBe(4)
  })

  it('from an address with a member have room that no stranger takes', () => {
    prove(arrive('10.0.0.2', 'encrypted'))
    times(1000, (i) => arrive(`10.1.${i >> 8}.${i & 255}`, 'encrypted'))
    const friends = times(32, () => arrive('10.0.0.2'))
    const strangers = times(1000, (i) => arrive(`10.4.${i >> 8}.${i & 255}`, 'encrypted'))
    expect(openOf(friends)).toBe(32)
    expect(openOf(strangers)).toBeLessThanOrEqual(64)
  })

  it('that have shown their proof are charged for nothing more', () => {
    const arrived = new Arrived('/ip4/10.0.0.1/tcp/4000')
    const allowance = new Allowance()
    newcomers.current.add(arrived as unknown as MultiaddrConnection, allowance)
    prove(arrived)
    for (let i = 0; i < 1000; i += 1) allowance.charge(Cost.stream)
  })
})
