import { describe, expect, it } from 'vitest'
import { checkOpen, reachOf, reachText } from './reach.ts'

const refused = expect.objectContaining({ code: 'INVALID_OPTION' }) as Error

describe('who can reach a peer', () => {
  it('is this machine alone without a secret', () => {
    const reach = reachOf({}, false)
    expect(reach).toEqual({ kind: 'here', listen: ['/ip4/127.0.0.1/tcp/0', '/ip4/127.0.0.1/tcp/0/ws'], local: true })
    expect(reachText('shop', reach)).toMatch(/^grid 'shop' has no secret.*this machine.*the same secret, or open: true/)
    expect(reachText('shop', reach)).not.toContain('\n')
    expect(reachOf({ open: false, listen: [], join: ['/ip4/127.0.0.1/tcp/1'] }, false)).toMatchObject({
      listen: [],
      local: true,
    })
  })

  it('is every peer with the secret, or every peer if the grid is open', () => {
    const listen = ['/ip4/0.0.0.0/tcp/4001']
    expect(reachOf({ listen }, true)).toEqual({ kind: 'private', listen, local: false })
    expect(reachOf({}, true)).toEqual({ kind: 'private', listen: undefined, local: false })
    expect(reachOf({ listen, open: true }, false)).toEqual({ kind: 'open', listen, local: false })
    expect(reachText('shop', reachOf({ open: true }, false))).toContain('anyone who knows its name')
  })

  it('is never widened by an address alone: the error names both ways', () => {
    const wide = [
      '/ip4/0.0.0.0/tcp/0',
      '/ip4/192.168.1.7/tcp/4001/ws',
      '/ip4/1.127.0.1/tcp/1',
      '/ip6/::/tcp/0',
      '/ip6/::2/tcp/0',
      '/ip6/2001:db8::1/tcp/0',
      '/dns4/localhost.example.org/tcp/1',
      '/ip4/127.0.0.1/tcp/1/ws/p2p/12D3KooWGdR2NAPoKNmANyNXrz9k7sSHkD6MLT7Ab5Ang3vcpDe2/p2p-circuit',
    ]
    for (const address of wide) {
      for (const options of [
        { listen: [address] },
        { listen: ['/ip4/127.0.0.1/tcp/0', address] },
        { announce: [address] },
      ]) {
        expect(() => reachOf(options, false), JSON.stringify(options)).toThrow(refused)
        expect(() => reachOf(options, false)).toThrow(/the same secret, or say open: true/)
      }
    }
    for (const address of [
      '/ip4/127.0.0.1/tcp/0',
      '/ip4/127.8.9.1/tcp/1/ws',
      '/ip6/::1/tcp/0',
      '/ip6/0:0:0:0:0:0:0:1/tcp/0',
    ]) {
      expect(reachOf({ listen: [address], announce: [address] }, false)).toMatchObject({
        kind: 'here',
        listen: [address],
      })
    }
  })

  it('an address that is none is refused', () => {
    const bad = expect.objectContaining({ code: 'NETWORK_BAD_ADDRESS' }) as Error
    for (const listen of ['nonsense', '127.0.0.1:4001']) expect(() => reachOf({ listen: [listen] }, false)).toThrow(bad)
  })

  it('a grid cannot be open and private, and open must be a boolean', () => {
    expect(() => checkOpen(true, true)).toThrow(refused)
    for (const fitting of [undefined, false]) checkOpen(fitting, true)
    for (const open of ['true', 1, null] as unknown as boolean[]) expect(() => checkOpen(open, false)).toThrow(refused)
  })

  it('a peer that joins an open grid on another machine dials other machines, and the log says so', () => {
    const reach = reachOf({ join: ['/ip4/127.0.0.1/tcp/1', '/dns4/example.org/tcp/4001'] }, false)
    expect(reach).toMatchObject({
      kind: 'here',
      local: false,
      listen: ['/ip4/127.0.0.1/tcp/0', '/ip4/127.0.0.1/tcp/0/ws'],
    })
    expect(reachText('shop', reach)).toContain('where it joins others')
  })
})
