import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openGrid } from 'gossipgrid'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { checkJoin } from './join.ts'
import { checkMachine } from './machine.ts'
import { checkPorts } from './ports.ts'
import { checkStorage } from './storage.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gg-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

test('a missing data directory is not created', async () => {
  const findings = await checkStorage(join(folder, 'a/b'), [])
  expect(findings.map(({ check, state }) => [check, state])).toContainEqual(['storage', 'ok'])
  expect(readdirSync(folder)).toEqual([])
})

test('a store is opened as a copy: its contents and damage are reported, and nothing in it changes', async () => {
  const directory = join(folder, 'store')
  const grid = await openGrid({ name: 'd', directory, listen: [], mdns: false, logger: silent })
  await grid.map('m').set('k', 1)
  await grid.close()
  const before = readdirSync(directory)
  expect((await checkStorage(directory, [])).at(-1)).toMatchObject({ state: 'ok' })
  expect((await checkStorage(directory, [])).at(-1)!.text).toContain('opens, with 1 entry in 1 collection')
  expect(readdirSync(directory)).toEqual(before)
  rmSync(join(directory, 'CURRENT'))
  expect((await checkStorage(directory, [])).at(-1)).toMatchObject({ check: 'store', state: 'warning' })
  expect(readdirSync(folder)).toEqual(['store'])
})

test('a file, a foreign directory and one in use each give another finding than a store', async () => {
  writeFileSync(join(folder, 'file'), '')
  expect(await checkStorage(join(folder, 'file'), [])).toMatchObject([{ check: 'storage', state: 'failed' }])
  expect((await checkStorage(folder, [])).at(-1)!.text).toContain('no store of gossipgrid')
  const running = { socket: '', pid: 4711, name: 'd', peerId: 'p', directory: folder, startedAt: '' }
  expect((await checkStorage(folder, [running])).at(-1)!.text).toContain('in use by the process 4711')
})

test('a taken port is reported, and an address of another machine', async () => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const [taken, elsewhere, free] = await checkPorts(
    [`/ip4/127.0.0.1/tcp/${port}`, '/ip4/198.51.100.7/tcp/0', '/ip4/127.0.0.1/tcp/0'],
    [],
  )
  expect(taken).toMatchObject({ state: 'failed', text: `127.0.0.1 port ${port} is taken` })
  expect(elsewhere).toMatchObject({ state: 'failed', text: '198.51.100.7 is no address of this machine' })
  expect(free).toMatchObject({ state: 'ok' })
  await new Promise((resolve) => server.close(resolve))
})

test('an address to join by is tried: no answer, a program that is no peer, a peer of the grid', async () => {
  const grid = await openGrid({ name: 'd', listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false, logger: silent })
  const [address] = grid.addresses as [string]
  expect(await checkJoin(address, undefined)).toMatchObject({ state: 'ok' })
  expect(await checkJoin(address, { name: 'd', secrets: [] })).toMatchObject({ state: 'ok' })
  expect(grid.status().collections).toEqual([])
  expect(await checkJoin(address, { name: 'other', secrets: [] })).toMatchObject({ state: 'failed' })
  await grid.close()
  expect(await checkJoin(address, undefined)).toMatchObject({ state: 'failed' })
})

test('the checks of the machine do no harm', async () => {
  expect((await checkMachine()).map(({ check }) => check)).toEqual(['node', 'open files', 'memory'])
})
