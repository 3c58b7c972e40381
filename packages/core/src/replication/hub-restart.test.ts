import { expect, it } from 'vitest'
import { TestDisk } from '../rig/test-disk.ts'
import { WiredPeers } from '../rig/wired-peers.ts'

it('a hub that starts again costs each of its tabs that lacks nothing one round trip of a session', () => {
  const peers = new WiredPeers()
  peers.open('hub', new TestDisk())
  const tabs = Array.from({ length: 20 }, (_, tab) => `tab ${tab}`)
  for (const tab of tabs) {
    peers.open(tab)
    peers.link('hub', tab)
  }
  for (let key = 0; key < 50; key++) peers.write('hub', `key ${key}`, key)
  peers.advance(60_000)
  expect(peers.value(tabs[0]!, 'key 49')).toBe(49)
  const disk = peers.crash('hub')!
  peers.advance(1000)
  peers.sleep(0)
  peers.open('hub', disk)
  for (const tab of tabs) peers.link('hub', tab)
  peers.run()
  peers.advance(1000)
  for (const name of ['hub', ...tabs]) {
    const links = name === 'hub' ? tabs.length : 1
    // Both sides ask, at the same time.
    expect(peers.sent('digest', name)).toHaveLength(links)
    expect(peers.sent('equal', name).length).toBeLessThanOrEqual(links)
  }
  expect([...peers.sent('vectors'), ...peers.sent('chunk')]).toEqual([])
})
