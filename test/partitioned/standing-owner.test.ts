import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { PeerLedger, stateOf, until } from './ledger-of-peers.ts'
import { PartitionedPeer } from './peer-process.ts'

const KEYS = 500
const WRITES = 6000
/** Far more than what 1,000 rows take that wait for an owner, and far less than thousands of versions of them. */
const GROWTH_MAX_BYTES = 160 * 1024 * 1024

let root: string
const peers: PartitionedPeer[] = []

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'gossipgrid-standing-'))
})
afterEach(async () => {
  await Promise.all(peers.splice(0).map((peer) => peer.kill()))
  await rm(root, { recursive: true, force: true })
})

async function open(count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const addresses = i === 0 ? [] : peers[0]!.addresses
    peers.push(await PartitionedPeer.start({ directory: join(root, `peer-${i}`), join: addresses }))
  }
  await until(async () => {
    const states = await Promise.all(peers.map(stateOf))
    return states.every(({ owned, whole }) => owned > 0 && owned === whole)
  }, 'all owners are whole')
}

it('while an owner stands still, others write and read on in bounded memory; when it goes on, it answers with nothing old', async () => {
  await open(4)
  const [first, second, third, standing] = peers as [PartitionedPeer, PartitionedPeer, PartitionedPeer, PartitionedPeer]
  const ledger = new PeerLedger()
  for (const [index, peer] of [first, second].entries()) {
    // Several calls at a time, each for keys of its own.
    for (let turn = 0; turn < 8; turn++) ledger.writeOn(peer, `writer ${index}-${turn}`, KEYS / 8)
  }
  const names = ['writer']
  await until(async () => ledger.count > 500, 'writes are acknowledged')
  await ledger.writeAll(first, 'sure', 1, 3)
  const before = await Promise.all([first, second, third].map(stateOf))

  standing.standStill()
  const countThen = ledger.count
  // It counts as gone after half a minute. Many more writes than that are made meanwhile.
  await until(async () => (await stateOf(first)).members[standing.peerId] === 'gone', 'its silence is noticed')
  await until(async () => ledger.count > countThen + WRITES, 'writing goes on')
  for (const [place, peer] of [first, second, third].entries()) {
    const { hints, memoryBytes } = await stateOf(peer)
    // A later row of a key takes the place of the one before.
    expect(hints).toBeLessThanOrEqual(2 * KEYS)
    expect(memoryBytes - before[place]!.memoryBytes).toBeLessThan(GROWTH_MAX_BYTES)
    expect((await ledger.compare(peer, names)).unknown).toBe(0)
  }
  await ledger.writeAll(second, 'sure', 2, 2)

  standing.goOn()
  // From its very first answer on: it has been out of touch, and compares with other owners before it answers.
  for (let i = 0; i < 5; i++) expect((await ledger.compare(standing, ['sure'])).wrong).toEqual([])
  await ledger.end()
  for (const peer of peers) await ledger.readBy(peer, ['sure', ...names])
  await until(async () => {
    const states = await Promise.all(peers.map(stateOf))
    return states.every(({ hints, underReplicated, unreachable }) => hints + underReplicated + unreachable === 0)
  }, 'all owners have everything')
})
