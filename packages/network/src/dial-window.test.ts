import { describe, expect, it } from 'vitest'
import { DialWindow } from './dial-window.ts'

function after(...handshakesMs: readonly number[]): number {
  const window = new DialWindow()
  for (const durationMs of handshakesMs) window.recordHandshake(durationMs)
  return window.dialsMax
}

describe('the number of dials at once', () => {
  it('starts small and grows by one with each quick handshake, up to eight', () => {
    expect(after()).toBe(2)
    expect(after(20)).toBe(3)
    expect(after(20, 20, 500)).toBe(5)
    expect(after(...Array.from({ length: 100 }, () => 20))).toBe(8)
  })

  it('halves with each slow handshake, and one dial may always run', () => {
    expect(after(20, 20, 20, 20, 20, 20, 3000)).toBe(4)
    expect(after(3000, 15_000, 15_000)).toBe(1)
    expect(after(15_000, 15_000, 20)).toBe(2)
  })
})
