import { openGrid } from 'gossipgrid'
import type { Grid, GridStatus } from 'gossipgrid'
import { deriveChannel } from '@gossipgrid/network'
import { afterEach, expect, test } from 'vitest'
import { rawPeer } from '../packages/network/src/raw-peer.ts'
import type { RawPeer } from '../packages/network/src/raw-peer.ts'

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()))
})

const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

async function open(
  name: string,
  join: readonly string[] = [],
  warn: (line: string) => void = () => undefined,
): Promise<Grid> {
  const grid = await openGrid({ name, join, listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false, logger: { ...quiet, warn } })
  closing.push(() => grid.close())
  return grid
}

async function hostilePeer(name: string): Promise<RawPeer> {
  const { protocol } = await deriveChannel(name)
  const raw = await rawPeer(protocol)
  closing.push(async () => raw.node.stop())
  return raw
}

/** A message with its length in front. */
function framed(...bytes: readonly number[]): Uint8Array {
  return Uint8Array.of(0, 0, 0, bytes.length, ...bytes)
}

async function until(holds: () => boolean | Promise<boolean>, what: string, limitMs = 150_000): Promise<void> {
  const endMs = performance.now() + limitMs
  while (!(await holds())) {
    if (performance.now() > endMs) throw new Error(`still not: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

/** The state that no refused message may change. */
function dataOf({ replicaId, collections }: GridStatus): unknown {
  return [replicaId, collections.map(({ name, entries, fingerprint }) => [name, entries, fingerprint])]
}

/** These tests make 190 connections in one process, each with two handshakes. Dials that take too long start over. */
const LIMIT_MS = 600_000

test(
  'twenty peers behind one address find each other and end equal',
  async () => {
    const first = await open('twenty')
    const others = await Promise.all(Array.from({ length: 19 }, () => open('twenty', first.addresses)))
    const all = [first, ...others]
    await Promise.all(all.map((grid, i) => grid.map('shared').set(`from ${i}`, i)))
    await until(
      () => {
        const prints = all.map((grid) => grid.status().collections.find(({ name }) => name === 'shared'))
        return prints.every((print) => print?.entries === 20 && print.fingerprint === prints[0]?.fingerprint)
      },
      'all twenty are equal',
      LIMIT_MS,
    )
    expect(await others[18]!.map('shared').get('from 0')).toBe(0)
    expect(all.map((grid) => grid.status().offences)).toEqual(all.map(() => 0))
  },
  LIMIT_MS + 60_000,
)

test('a peer that sends garbage is cut off for a minute; status and log say which peer and why, and the data is unchanged', async () => {
  const warnings: string[] = []
  const grid = await open('garbage', [], (line) => warnings.push(line))
  const friend = await open('garbage', grid.addresses)
  await grid.map('kept').set('k', 'v')
  await until(async () => (await friend.map('kept').get('k')) === 'v', 'the friend has it')
  const before = dataOf(grid.status())
  const raw = await hostilePeer('garbage')
  const { outgoing } = await raw.meet(grid.addresses[0]!)
  for (let i = 0; i < 8; i++) outgoing.send(framed(1, 200, 1, 2, 3))
  await until(() => grid.status().offenders.length > 0 && grid.status().offenders[0]!.refusedForMs > 0, 'it is cut off')
  expect(grid.status().offenders).toEqual([
    {
      peerId: raw.peerId,
      offences: 8,
      lastCode: 'MESSAGE_MALFORMED',
      lastReason: expect.stringContaining('malformed bytes'),
      refusedForMs: expect.any(Number),
    },
  ])
  expect(grid.status().offenders[0]!.refusedForMs).toBeLessThanOrEqual(60_000)
  expect(grid.status().offences).toBe(8)
  expect(warnings.filter((line) => line.includes(`refusing ${raw.peerId}`)).length).toBe(1)
  await until(() => raw.node.getConnections().length === 0, 'its connection is closed')
  await expect(raw.meet(grid.addresses[0]!)).rejects.toBeInstanceOf(Error)
  expect(dataOf(grid.status())).toEqual(before)
  await friend.map('kept').set('after', 1)
  await until(async () => (await grid.map('kept').get('after')) === 1, 'the friend is still heard')
})

test('a peer that breaks the protocol of streams is listed too', async () => {
  const grid = await open('oversize')
  const raw = await hostilePeer('oversize')
  const { outgoing } = await raw.meet(grid.addresses[0]!)
  outgoing.send(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 1))
  await until(() => grid.status().offenders.length > 0, 'it is listed')
  expect(grid.status().offenders[0]).toMatchObject({ peerId: raw.peerId, lastCode: 'NETWORK_HOSTILE' })
  expect(grid.status().offenders[0]!.refusedForMs).toBeGreaterThan(0)
})

test('a peer of another version is reported, and not cut off', async () => {
  const warnings: string[] = []
  const grid = await open('version', [], (line) => warnings.push(line))
  const raw = await hostilePeer('version')
  const { outgoing } = await raw.meet(grid.addresses[0]!)
  for (let i = 0; i < 50; i++) outgoing.send(framed(9, 0))
  const reports = (): number => warnings.filter((line) => line.includes('MESSAGE_VERSION')).length
  await until(() => grid.metrics().quarantine.refused['MESSAGE_VERSION'] === 50, 'all have come')
  expect(reports()).toBe(1)
  expect(grid.status()).toMatchObject({ offences: 0, offenders: [] })
  expect(raw.node.getConnections().length).toBe(1)
})

test('a listener that throws stops neither the grid nor the other listeners', async () => {
  const grid = await open('listener')
  const friend = await open('listener', grid.addresses)
  const seen: string[] = []
  const map = grid.map('m')
  map.on('change', () => {
    throw new Error('a listener of the application')
  })
  map.on('change', ({ key }) => void seen.push(key))
  await friend.map('m').set('a', 1)
  await friend.map('m').set('b', 2)
  await until(() => seen.includes('a') && seen.includes('b'), 'both were heard')
  expect(await map.get('b')).toBe(2)
})
