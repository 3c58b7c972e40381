import { expect, test } from 'vitest'
import { yieldMs } from './yielding.ts'

test('of two peers only one waits, and longer where both have to agree through a relay', () => {
  const server = '/ip4/127.0.0.1/tcp/1/ws'
  expect(yieldMs('a', 'b', [server])).toBe(0)
  expect(yieldMs('b', 'a', [])).toBeGreaterThan(0)
  const tab = `${server}/p2p/r/p2p-circuit/webrtc/p2p/a`
  expect(yieldMs('b', 'a', [tab])).toBeGreaterThan(yieldMs('b', 'a', [server]))
})
