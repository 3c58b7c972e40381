import { createServer, connect } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { openGrid } from 'gossipgrid'
import type { Grid, OpenGridOptions } from 'gossipgrid'
import { afterEach, expect, it } from 'vitest'

const SECRET = 'q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA'
const OTHER_SECRET = 'ANuq3vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWe'

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()))
})

async function open(options: Partial<OpenGridOptions>): Promise<Grid & { warnings: string[] }> {
  const warnings: string[] = []
  const ignore = (): void => undefined
  const logger = { debug: ignore, info: ignore, error: ignore, warn: (line: string) => void warnings.push(line) }
  const grid = await openGrid({ name: 'ward', listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false, logger, ...options })
  closing.push(() => grid.close())
  return Object.assign(grid, { warnings })
}

async function until(holds: () => boolean, what: string): Promise<void> {
  const endMs = performance.now() + 60_000
  while (!holds()) {
    if (performance.now() > endMs) throw new Error(`still not: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** Forwards connections to `address` and records all bytes. */
async function wiretap(address: string): Promise<{ address: string; heard: () => Buffer }> {
  const port = Number(/\/tcp\/(\d+)/.exec(address)?.[1])
  const heard: Buffer[] = []
  const sockets: Socket[] = []
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1')
    sockets.push(near, far)
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on('data', (chunk: Buffer) => {
        heard.push(chunk)
        to.write(chunk)
      })
      from.on('close', () => to.destroy())
      from.on('error', () => to.destroy())
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const tapped = address.replace(`/tcp/${port}`, `/tcp/${(server.address() as AddressInfo).port}`)
  return { address: tapped, heard: () => Buffer.concat(heard) }
}

it('peers with the secret share their data; a stranger with only the name, or with another secret, gets nothing', async () => {
  const first = await open({ secret: SECRET })
  const second = await open({ secret: SECRET, join: first.addresses })
  const strangers = [
    await open({ join: first.addresses }),
    await open({ secret: OTHER_SECRET, join: [...first.addresses, ...second.addresses] }),
  ]
  await second.ready()
  const patients = first.map<string>('patients')
  await patients.set('ada', 'well')
  await until(() => second.map('patients').peek('ada') === 'well', 'the write is at the other member')
  await strangers[0]!.map('patients').set('eve', 'was here')
  await new Promise((resolve) => setTimeout(resolve, 1500))
  for (const stranger of strangers) {
    expect(stranger.members.filter(({ self }) => !self)).toEqual([])
    expect(stranger.status().collections.map(({ name }) => name)).toEqual(stranger === strangers[0] ? ['patients'] : [])
    expect(stranger.map('patients').peek('ada')).toBeUndefined()
  }
  for (const member of [first, second]) {
    expect(member.members.map(({ peerId }) => peerId).sort()).toEqual([first.peerId, second.peerId].sort())
    expect(member.map('patients').peek('eve')).toBeUndefined()
    expect(member.warnings.filter((line) => line.includes('open'))).toEqual([])
  }
  expect(strangers[0]!.warnings.filter((line) => line.includes('has no secret')).length).toBe(1)
})

it('no key, value, collection or grid name can be read on the wire', async () => {
  const first = await open({ secret: SECRET })
  const tap = await wiretap(first.addresses[0]!)
  const second = await open({ secret: SECRET, join: [tap.address] })
  await second.ready()
  await first.map<string>('patients-collection').set('ada-the-key', 'well-the-value', { copies: 1 })
  await until(() => second.map('patients-collection').peek('ada-the-key') !== undefined, 'the write has crossed')
  const heard = tap.heard()
  expect(heard.length).toBeGreaterThan(1000)
  for (const text of ['patients-collection', 'ada-the-key', 'well-the-value', 'ward', SECRET]) {
    expect(heard.includes(text), text).toBe(false)
  }
})

it('a grid changes its secret peer by peer and never splits', async () => {
  const options = { name: 'rotating' }
  let first = await open({ ...options, secret: OTHER_SECRET })
  let second = await open({ ...options, secret: OTHER_SECRET, join: first.addresses })
  const steps: readonly [string[], string[]][] = [
    [[SECRET, OTHER_SECRET], [OTHER_SECRET]],
    [
      [SECRET, OTHER_SECRET],
      [SECRET, OTHER_SECRET],
    ],
    [[SECRET], [SECRET, OTHER_SECRET]],
    [[SECRET], [SECRET]],
  ]
  let writes = 0
  for (const [ofFirst, ofSecond] of steps) {
    // One of the two is always up, and has the data that the other one gets back.
    await first.close()
    first = await open({ ...options, secret: ofFirst, join: second.addresses })
    expect(await first.ready()).toEqual({ alone: false })
    await second.close()
    second = await open({ ...options, secret: ofSecond, join: first.addresses })
    expect(await second.ready()).toEqual({ alone: false })
    await first.map('m').set(`key ${writes++}`, 'of the first')
    await second.map('m').set(`key ${writes++}`, 'of the second')
    await until(() => [first, second].every((grid) => grid.map('m').size === writes), `${writes} entries at both`)
  }
})
