import { describe, expect, it } from 'vitest'
import { hostPort, joinAddress, listenAddress } from './addresses.ts'
import { openGrid } from './open-grid.ts'
import { quietLogger } from './logger.ts'

const bad = expect.objectContaining({ code: 'NETWORK_BAD_ADDRESS' }) as Error

describe('addresses as people write them', () => {
  it('are ports, hosts with ports, and multiaddrs', () => {
    expect([4001, '4001', '*:4001'].map(listenAddress)).toEqual(Array(3).fill('/ip4/0.0.0.0/tcp/4001'))
    expect(listenAddress('[::1]:0')).toBe('/ip6/::1/tcp/0')
    expect(listenAddress('/ip4/10.0.0.1/tcp/1/ws')).toBe('/ip4/10.0.0.1/tcp/1/ws')
    expect([4001, '4001'].map(joinAddress)).toEqual(Array(2).fill('/ip4/127.0.0.1/tcp/4001'))
    expect(joinAddress('192.168.1.7:4001')).toBe('/ip4/192.168.1.7/tcp/4001')
    expect(joinAddress('b.example.org:4001')).toBe('/dns4/b.example.org/tcp/4001')
    expect(joinAddress('/ip4/10.0.0.1/tcp/1/p2p/x')).toBe('/ip4/10.0.0.1/tcp/1/p2p/x')
    expect(hostPort('[::]:9464')).toEqual({ host: '::', port: 9464 })
  })

  it('are refused where they are none, with a good one', () => {
    for (const typed of ['', 'here', 'host:', ':4001', '::1:4001', -1, 1.5, Number.NaN]) {
      expect(() => joinAddress(typed), String(typed)).toThrow(
        `${typed} is no address: write HOST:PORT, as in 192.168.1.7:4001`,
      )
      expect(() => listenAddress(typed), String(typed)).toThrow(bad)
    }
    for (const typed of ['1.2.3.4:99999', 70_000])
      for (const address of [joinAddress, listenAddress])
        expect(() => address(typed), String(typed)).toThrow(/ is no address: \d+ is no port\. Ports go from 0 to 65535/)
    expect(() => listenAddress('example.org:4001')).toThrow('example.org is no IP address of this machine')
  })

  it('open peers that meet', async () => {
    const open = { name: 'typed', mdns: false, logger: quietLogger } as const
    const first = await openGrid({ ...open, listen: ['127.0.0.1:0'] })
    const port = Number(/\/tcp\/(\d+)/.exec(first.addresses[0]!)![1])
    const second = await openGrid({ ...open, listen: ['127.0.0.1:0'], join: [port] })
    await second.ready()
    expect(second.members.filter((member) => member.connected)).toHaveLength(1)
    await second.close()
    await first.close()
    for (const wrong of [{ join: [null] }, { listen: 4001 }, { listen: [true] }] as object[]) {
      await expect(openGrid({ ...open, ...wrong }), JSON.stringify(wrong)).rejects.toMatchObject({
        code: 'INVALID_OPTION',
      })
    }
    await expect(openGrid({ ...open, listen: [0] })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    await expect(openGrid({ ...open, open: true, join: [70_000] })).rejects.toThrow(bad)
  })
})
