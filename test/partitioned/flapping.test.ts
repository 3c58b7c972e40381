import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PeerLedger, stateOf, until } from './ledger-of-peers.ts'
import { PartitionedPeer } from './peer-process.ts'

const PEERS = 10
const OWNERS = 3
const FLAPS = 6
const QUIET_MS = 15_000
/** Entries: each of them has a key of its own. */
const ENTRIES = 1000
/** Rows of the registry come in sessions too. One peer has 300 of the entries. */
const MOVED_MAX = 60
const KEYS = Array.from({ length: ENTRIES }, (_, i) => `batch-${Math.floor(i / 100)} ${i % 100}`)

let root: string
const peers: PartitionedPeer[] = []
const ledger = new PeerLedger()

async function start(place: number): Promise<void> {
  const addresses = peers.filter((_, other) => other !== place).flatMap((other) => other.addresses)
  peers[place] = await PartitionedPeer.start({ directory: join(root, `peer-${place}`), join: addresses.slice(0, 3) })
}

async function restart(place: number): Promise<void> {
  await peers[place]!.kill()
  await start(place)
  await until(async () => {
    const [known, own] = await Promise.all([stateOf(peers[(place + 1) % PEERS]!), stateOf(peers[place]!)])
    return known.members[peers[place]!.peerId] === 'alive' && own.owned > 0 && own.owned === own.whole
  }, 'it is back')
}

/** Who owns each key, as a peer sees it. */
async function ownersBy(peer: PartitionedPeer): Promise<string[]> {
  const owners = await peer.ask<{ peerId: string }[][]>({ call: 'owners', keys: KEYS.slice(0, 100) })
  return owners.map((each) =>
    each
      .map(({ peerId }) => peerId)
      .toSorted()
      .join(),
  )
}

/** Rows that sessions have brought to some peers in their lives of now. */
async function rowsReceived(some: readonly PartitionedPeer[]): Promise<number> {
  const states = await Promise.all(some.map(stateOf))
  return states.reduce((sum, state) => sum + state.rowsReceived, 0)
}

async function allSettled(): Promise<void> {
  await until(async () => {
    const states = await Promise.all(peers.map(stateOf))
    return states.every(({ hints, owned, underReplicated, unreachable, whole }) => {
      return owned > 0 && owned === whole && hints + underReplicated + unreachable === 0
    })
  }, 'all owners have everything')
}

/** Sessions have brought nothing for a while. */
async function allQuiet(): Promise<void> {
  await allSettled()
  let before = -1
  for (let now = await rowsReceived(peers); now !== before; now = await rowsReceived(peers)) {
    before = now
    await delay(QUIET_MS)
  }
}

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'gossipgrid-flapping-'))
  for (let place = 0; place < PEERS; place++) await start(place)
  await allSettled()
  for (let batch = 0; batch < ENTRIES / 100; batch++) await ledger.writeAll(peers[0]!, `batch-${batch}`, 1, OWNERS)
  await allQuiet()
})
afterAll(async () => {
  await Promise.all(peers.map((peer) => peer.kill()))
  await rm(root, { recursive: true, force: true })
})

describe('ten processes with partitions', () => {
  it('move nothing while one of them is killed and comes back again and again', async () => {
    const owners = await ownersBy(peers[0]!)
    const others = peers.slice(0, -1)
    const before = await rowsReceived(others)
    let moved = 0
    for (let flap = 0; flap < FLAPS; flap++) {
      await restart(PEERS - 1)
      expect(await ownersBy(peers[0]!)).toEqual(owners)
      moved += await rowsReceived(peers.slice(-1))
    }
    await allSettled()
    moved += (await rowsReceived(others)) - before
    expect(moved).toBeLessThanOrEqual(MOVED_MAX)
  })

  it('move nothing when all are killed and come back, one after the other', async () => {
    const owners = await ownersBy(peers[0]!)
    for (let place = 0; place < PEERS; place++) {
      await restart(place)
      expect(await ownersBy(peers[place]!)).toEqual(owners)
    }
    await allSettled()
    const moved = await rowsReceived(peers)
    expect(moved).toBeLessThanOrEqual(MOVED_MAX)
    for (const peer of peers) await ledger.readBy(peer, ['batch-0', 'batch-9'])
  })
})
