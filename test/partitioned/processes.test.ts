import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { PartitionedPeer } from './peer-process.ts'

interface Found {
  readonly values: Readonly<Record<string, number>>
  readonly unanswered: readonly string[]
}

let root: string
const peers: PartitionedPeer[] = []
/** What was acknowledged, and is to be there. */
const ledger = new Map<string, number>()

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'gossipgrid-partitioned-'))
})
afterAll(async () => {
  await Promise.all(peers.map((peer) => peer.kill()))
  await rm(root, { recursive: true, force: true })
})

function start(index: number): Promise<PartitionedPeer> {
  const others = index === 0 ? [] : peers[0]!.addresses
  return PartitionedPeer.start({ directory: join(root, `peer-${index}`), join: others })
}

async function until(holds: () => Promise<boolean>, what: string): Promise<void> {
  const endMs = performance.now() + 120_000
  while (!(await holds())) {
    if (performance.now() > endMs) throw new Error(`still not: ${what}`)
    await delay(200)
  }
}

/** How many entries of the ledger a peer reads otherwise, how many it does not know, and how many are right. */
async function compare(peer: PartitionedPeer): Promise<{ wrong: string[]; unknown: number; right: number }> {
  const keys = [...ledger.keys()]
  const { values, unanswered } = await peer.ask<Found>({ call: 'getMany', keys, timeoutMs: 20_000 })
  const unknown = new Set(unanswered)
  const wrong = keys.filter((key) => !unknown.has(key) && values[key] !== ledger.get(key))
  return { wrong, unknown: unknown.size, right: keys.length - unknown.size - wrong.length }
}

async function allWhole(count: number): Promise<void> {
  const keys = Array.from({ length: 100 }, (_, i) => `key ${i}`)
  await until(async () => {
    const views = await Promise.all(
      peers.map((peer) => peer.ask<{ peerId: string; state: string }[][]>({ call: 'owners', keys })),
    )
    return views.every((view) => {
      const owners = view.flat()
      return (
        new Set(owners.map(({ peerId }) => peerId)).size === count && owners.every((each) => each.state === 'whole')
      )
    })
  }, 'all owners are whole')
}

it('five processes lose nothing and miss nothing, while one is killed in the middle of writes and comes back', async () => {
  for (let i = 0; i < 5; i++) peers.push(await start(i))
  await allWhole(5)
  const writing = Array.from({ length: 300 }, async (_, i) => {
    const receipt = await peers[i % 5]!.ask<{ copies: number }>({
      call: 'set',
      key: `key ${i}`,
      value: i,
      options: { copies: 'all' },
    })
    ledger.set(`key ${i}`, i)
    return receipt.copies
  })
  expect(new Set(await Promise.all(writing))).toEqual(new Set([3]))
  for (const peer of peers) expect(await compare(peer)).toEqual({ wrong: [], unknown: 0, right: 300 })
  expect(await peers[4]!.ask({ call: 'size' })).toEqual({ size: 300, complete: true, unanswered: [] })

  // The third one writes as well, and is killed in the middle. What it had acknowledged is on its disk, if nowhere else.
  const ofKilled = new Map<string, number>()
  let ended = false
  const writer = async (index: number, noted: Map<string, number>): Promise<void> => {
    for (let i = 0; !ended; i++) {
      const [key, value] = [`${index} wrote ${i % 40}`, i]
      await peers[index]!.ask({ call: 'set', key, value })
      noted.set(key, value)
    }
  }
  const others = [0, 1, 3, 4].map((index) => writer(index, ledger))
  // Its promises end with it.
  void writer(2, ofKilled)
  await delay(1000)
  await peers[2]!.kill()
  const acknowledged = new Map(ofKilled)
  // No read of what others wrote is wrong meanwhile: a peer reads its own writes, and says what it does not know.
  await delay(1000)
  ended = true
  await Promise.all(others)
  for (const index of [0, 1, 3, 4]) {
    await until(async () => (await compare(peers[index]!)).right === ledger.size, 'all that was written is read')
  }
  peers[2] = await start(2)
  for (const [key, value] of acknowledged) ledger.set(key, value)
  expect(acknowledged.size).toBeGreaterThan(0)
  // The last write may have been stored without being acknowledged.
  for (const key of [...acknowledged.keys()]) {
    const { values } = await peers[2]!.ask<Found>({ call: 'getMany', keys: [key] })
    if ((values[key] ?? -1) > acknowledged.get(key)!) ledger.set(key, values[key]!)
  }
  for (const peer of peers) {
    await until(async () => (await compare(peer)).right === ledger.size, 'all acknowledged writes are read')
  }
})

it('a process without a directory and a light one write and read, and own nothing that others can', async () => {
  const memory = await PartitionedPeer.start({ join: peers[0]!.addresses })
  const light = await PartitionedPeer.start({
    join: peers[1]!.addresses,
    role: 'light',
    directory: join(root, 'light'),
  })
  try {
    for (let i = 0; i < 50; i++) {
      const options = i % 2 === 0 ? {} : ({ copies: 1 } as const)
      await (i % 4 < 2 ? memory : light).ask({ call: 'set', key: `guest ${i}`, value: i, options })
      ledger.set(`guest ${i}`, i)
    }
    for (const peer of [...peers, memory, light]) {
      await until(async () => (await compare(peer)).right === ledger.size, 'all is read')
    }
    const keys = [...ledger.keys()]
    const owners = (await memory.ask<{ peerId: string }[][]>({ call: 'owners', keys })).flat()
    expect(owners.filter(({ peerId }) => [memory.peerId, light.peerId].includes(peerId))).toEqual([])
  } finally {
    await Promise.all([memory.kill(), light.close()])
  }
  expect(await compare(peers[3]!)).toEqual({ wrong: [], unknown: 0, right: ledger.size })
})
