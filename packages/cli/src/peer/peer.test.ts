import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { joinAddress, listenAddress, listenAddresses, metricsAddress, onlyHere, tcpOf } from './addresses.ts'
import { peerLog } from './peer-log.ts'
import { checkReach } from './reach.ts'
import { readCertificate } from './certificate.ts'
import { readSecrets } from './secret.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gg-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

test('addresses are parsed as people type them', () => {
  expect(listenAddress('4001')).toBe('/ip4/0.0.0.0/tcp/4001')
  expect(listenAddress('*:4001')).toBe('/ip4/0.0.0.0/tcp/4001')
  expect(listenAddress('[::1]:0')).toBe('/ip6/::1/tcp/0')
  expect(joinAddress('192.168.1.7:4001')).toBe('/ip4/192.168.1.7/tcp/4001')
  expect(joinAddress('b.example.org:4001')).toBe('/dns4/b.example.org/tcp/4001')
  expect(joinAddress('/ip4/10.0.0.1/tcp/1/p2p/x')).toBe('/ip4/10.0.0.1/tcp/1/p2p/x')
  expect(metricsAddress('9464')).toEqual({ host: '127.0.0.1', port: 9464 })
  expect(metricsAddress('[::]:9464')).toEqual({ host: '::', port: 9464 })
  expect(tcpOf('/ip6/::1/tcp/7/ws')).toEqual({ host: '::1', port: 7 })
  expect(['/ip4/127.0.0.1/tcp/1', '/ip6/::1/tcp/1', '/ip4/10.0.0.1/tcp/1'].map(onlyHere)).toEqual([true, true, false])
})

test('an invalid address is refused with a good example', () => {
  for (const typed of ['here', 'host:', ':4001', '1.2.3.4:99999', '::1:4001']) {
    expect(() => joinAddress(typed)).toThrow(`--join ${typed} is no address`)
  }
  expect(() => listenAddress('example.org:4001')).toThrow('is no IP address of this machine')
})

test('beside a port for TCP one is listened on for tabs: the next, or the first free one after it', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port: taken } = server.address() as AddressInfo
  const [first, second] = await listenAddresses([`127.0.0.1:${taken - 1}`], false)
  expect(first).toBe(`/ip4/127.0.0.1/tcp/${taken - 1}`)
  expect(second).toMatch(/^\/ip4\/127\.0\.0\.1\/tcp\/\d+\/ws$/)
  expect(tcpOf(second!)!.port).toBeGreaterThan(taken)
  server.close()
  expect(await listenAddresses(['0'], true)).toEqual(['/ip4/0.0.0.0/tcp/0', '/ip4/0.0.0.0/tcp/0/tls/ws'])
  // Ports that were typed are left to those.
  const two = await listenAddresses(['127.0.0.1:65532', '127.0.0.1:65533'], false)
  expect(two.map((address) => tcpOf(address)!.port)).toEqual([65_532, 65_533, 65_534, 65_535])
  expect(await listenAddresses(['127.0.0.1:65535'], false)).toHaveLength(1)
  for (const exact of [['/ip4/127.0.0.1/tcp/4001'], ['127.0.0.1:4001', '/ip4/127.0.0.1/tcp/9000/ws']]) {
    expect(await listenAddresses(exact, false)).toHaveLength(exact.length)
  }
})

test('a secret file has the present secret and the former one, and is for the user alone', () => {
  const file = join(folder, 'secret')
  writeFileSync(file, 'gg1_new\r\n\ngg1_former\n', { mode: 0o600 })
  expect(readSecrets(file, {})).toEqual({ secrets: ['gg1_new', 'gg1_former'], warning: '' })
  writeFileSync(join(folder, 'open'), 'gg1_new', { mode: 0o644 })
  expect(readSecrets(join(folder, 'open'), {}).warning).toContain('chmod 600')
  expect(readSecrets(undefined, { GOSSIPGRID_SECRET: 'gg1_x' })).toEqual({ secrets: ['gg1_x'], warning: '' })
  expect(readSecrets(undefined, {}).secrets).toEqual([])
  for (const empty of ['', ' ', '\n\t ']) {
    expect(() => readSecrets(undefined, { GOSSIPGRID_SECRET: empty })).toThrow('GOSSIPGRID_SECRET is set, and empty')
    expect(readSecrets(join(folder, 'open'), { GOSSIPGRID_SECRET: empty }).secrets).toEqual(['gg1_new'])
    writeFileSync(file, empty)
    expect(() => readSecrets(file, {})).toThrow('is empty')
  }
  writeFileSync(file, 'a\nb\nc\n')
  expect(() => readSecrets(file, {})).toThrow('holds 3 secrets')
  writeFileSync(file, '\n')
  expect(() => readSecrets(file, {})).toThrow('is empty')
  expect(() => readSecrets(join(folder, 'none'), {})).toThrow('cannot be read')
  expect(() => readSecrets('/dev/zero', {})).toThrow('cannot be read: it is longer than 65536 bytes')
  expect(() => readCertificate({ tlsCert: '/dev/zero', tlsKey: file })).toThrow(
    '/dev/zero cannot be read: it is longer',
  )
})

test('without a secret only this machine reaches a peer, unless it is --open', () => {
  for (const listen of ['4001', '*:4001', '0.0.0.0:0', '192.168.1.7:4001', '[::]:4001', '/ip4/10.0.0.1/tcp/1/ws']) {
    expect(() => checkReach({ listen: ['127.0.0.1:0', listen] }, []), listen).toThrow(`--listen ${listen} lets other`)
    checkReach({ listen: [listen] }, ['secret'])
    checkReach({ listen: [listen], open: true }, [])
  }
  expect(() => checkReach({ announce: ['/dns4/a.example.org/tcp/443'] }, [])).toThrow('--announce')
  expect(() => checkReach({ open: true }, ['secret'])).toThrow('is private')
  checkReach({}, [])
  checkReach({ listen: ['127.0.0.1:0', '[::1]:0', '/ip4/127.0.0.1/tcp/0/ws'] }, [])
})

test('logs are lines for people or for programs, from the requested level on', () => {
  const lines: string[] = []
  peerLog('warn', 'text', (line) => lines.push(line)).info('not this')
  peerLog('info', 'text', (line) => lines.push(line)).warn('full')
  peerLog('info', 'text', (line) => lines.push(line)).error('refused: \u001b[2Jgone\n2026 error forged\u202e')
  expect(lines.pop()).toMatch(/error refused: \\u001b\[2Jgone\\u000a2026 error forged\\u202e$/)
  peerLog('debug', 'json', (line) => lines.push(line)).debug('x', { peerId: 'p', error: new Error('why'), big: 1n })
  expect(lines).toHaveLength(2)
  expect(lines[0]).toMatch(/warn {2}full$/)
  expect(JSON.parse(lines[1]!)).toMatchObject({ level: 'debug', message: 'x', peerId: 'p', error: 'why', big: '1' })
})
