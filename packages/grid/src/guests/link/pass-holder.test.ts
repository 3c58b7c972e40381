import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { PassHolder } from './pass-holder.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** What members' clocks show at first. */
const START_MS = 1_800_000_000_000

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const memberMs = (): number => START_MS + performance.now() - begunAtMs
let begunAtMs = 0
beforeEach(() => {
  begunAtMs = performance.now()
})

const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** A pass as text, with a signature that only members would look at. */
function passUntil(expiresAtMs: number, jti = 'p'): string {
  const grants = [{ map: 'todos', may: 'write' }]
  const claims = { jti, sub: 'ada', aud: 'shop', exp: expiresAtMs / 1000, grants }
  return `${encoded({ jwk: { x: Buffer.alloc(32).toString('base64url') } })}.${encoded(claims)}.x`
}

/** A guest whose clock is ahead, and what its function gives. */
function holderOf(aheadMs: number, source: () => string): PassHolder {
  return new PassHolder(source, 'shop', () => memberMs() + aheadMs)
}

/** When passes are renewed while a guest is connected: seconds after the begin. */
async function renewals(holder: PassHolder, countMax: number): Promise<number[]> {
  let pass = await holder.get()
  const times: number[] = []
  while (times.length < countMax) {
    holder.observe(memberMs())
    const delayMs = holder.renewalMs(pass)!
    vi.advanceTimersByTime(delayMs)
    times.push(Math.round((performance.now() - begunAtMs) / 1000))
    pass = await holder.renew()
  }
  return times
}

describe('a pass is renewed', () => {
  it.each([0, DAY_MS, -DAY_MS])(
    'when four fifths of it are over by the clock of members, at %i ms ahead',
    async (aheadMs) => {
      const holder = holderOf(aheadMs, () => passUntil(memberMs() + HOUR_MS))
      expect(await renewals(holder, 3)).toEqual([2880, 5760, 8640])
    },
  )

  it('each second if it is good for a second', async () => {
    const holder = holderOf(0, () => passUntil(memberMs() + 1000))
    expect(await renewals(holder, 4)).toEqual([1, 2, 3, 4])
  })

  it('more and more seldom while the next one is the same', async () => {
    const pass = passUntil(START_MS + 10_000)
    const times = await renewals(
      holderOf(0, () => pass),
      10,
    )
    expect(times.map((time, i) => time - (times[i - 1] ?? 0))).toEqual([8, 2, 4, 8, 16, 32, 60, 60, 60, 60])
  })

  it('and while it seems to be over as soon as it is there', async () => {
    let number = 0
    const times = await renewals(
      holderOf(0, () => passUntil(memberMs() - HOUR_MS + number++, `p${number}`)),
      8,
    )
    expect(times.map((time, i) => time - (times[i - 1] ?? 0))).toEqual([2, 4, 8, 16, 32, 60, 60, 60])
  })

  it('and after errors, until there is one again', async () => {
    let isLoggedIn = false
    const holder = holderOf(0, () => {
      if (!isLoggedIn) throw new Error('not logged in')
      return passUntil(memberMs() + HOUR_MS)
    })
    const delays: number[] = []
    for (let i = 0; i < 8; i++) {
      await expect(holder.renew()).rejects.toThrow('not logged in')
      delays.push(holder.retryMs() / 1000)
    }
    expect(delays).toEqual([2, 4, 8, 16, 32, 60, 60, 60])
    isLoggedIn = true
    await holder.renew()
    expect(holder.retryMs()).toBe(1000)
  })
})

describe('for a connection', () => {
  it('a guest whose clock is far ahead asks for no other pass each time that no member answers', async () => {
    let asked = 0
    const holder = holderOf(DAY_MS, () => passUntil(memberMs() + HOUR_MS, `p${asked++}`))
    for (let i = 0; i < 600; i++) {
      await holder.get()
      vi.advanceTimersByTime(1000)
    }
    expect(asked).toBeLessThan(20)
  })

  it('a pass that was refused is replaced at once, and one that is good is shown again', async () => {
    let asked = 0
    const holder = holderOf(0, () => passUntil(memberMs() + HOUR_MS, `p${asked++}`))
    const first = await holder.get()
    expect(await holder.get()).toBe(first)
    holder.refused()
    expect((await holder.get()).content.id).toBe('p1')
  })
})
