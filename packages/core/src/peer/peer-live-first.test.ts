import { expect, test } from 'vitest'
import { CHUNKS_IN_FLIGHT_MAX, CHUNK_MAX_BYTES } from '../limits.ts'
import { partitionOf, stateOf } from '../rig/peer-state.ts'
import { TestDisk } from '../rig/test-disk.ts'
import { WiredPeers } from '../rig/wired-peers.ts'

/** A peer with so much to send that it takes some dozens of chunks. */
const VALUE = 'x'.repeat(4000)
function fill(peers: WiredPeers, name: string, count = 1000): void {
  for (let i = 0; i < count; i++) peers.write(name, `key ${i}`, VALUE)
}

/** Calls `act` when the n-th chunk is on its way to a peer, and returns the chunks that came to it, as they come. */
function atChunk(peers: WiredPeers, to: string, acts: ReadonlyMap<number, () => unknown>): { readonly count: number } {
  const chunks = { count: 0 }
  const { deliver } = peers
  peers.deliver = (passed, name) => {
    if (passed.message.type === 'chunk' && name === to) acts.get(++chunks.count)?.()
    return deliver(passed, name)
  }
  return chunks
}

test('a write of another peer comes with the next chunks of a session, although its frame is lost', () => {
  const peers = new WiredPeers()
  const [source] = peers.mesh('source', 'writer')
  fill(peers, 'source')
  peers.advance(1000)
  const loader = peers.open('loader')
  peers.deliver = ({ message }, to) => message.type !== 'frame' || to !== 'loader'
  const came: number[] = []
  const look = (key: string, at: number) => () => came.push(peers.value('loader', key) === undefined ? Infinity : at)
  const chunks = atChunk(
    peers,
    'loader',
    new Map<number, () => unknown>([
      [3, () => peers.write('writer', 'live 1', 1)],
      [3 + CHUNKS_IN_FLIGHT_MAX + 1, look('live 1', 3)],
      [12, () => peers.write('source', 'live 2', 2)],
      [12 + CHUNKS_IN_FLIGHT_MAX + 1, look('live 2', 12)],
    ]),
  )
  peers.link('source', 'loader')
  peers.run()
  expect(chunks.count).toBeGreaterThan(25)
  expect(came).toEqual([3, 12])
  expect(stateOf(loader)).toEqual(stateOf(source!))
})

test('writes without end during a session leave half of each chunk to the rest', () => {
  const peers = new WiredPeers()
  const source = peers.open('source')
  fill(peers, 'source', 500)
  const loader = peers.open('loader')
  peers.deliver = ({ message }) => message.type !== 'frame'
  let written = 0
  const flood = (): void => {
    for (let bytes = 0; bytes < 2 * CHUNK_MAX_BYTES; bytes += VALUE.length) {
      peers.write('source', `more ${written++}`, VALUE)
    }
  }
  let isThere = false
  const look = (): void => void (isThere = peers.value('loader', 'key 499') !== undefined)
  const acts = new Map<number, () => unknown>(Array.from({ length: 39 }, (_, i) => [i + 1, flood]))
  // Half of a chunk has room for sixteen of the five hundred.
  atChunk(peers, 'loader', acts.set(40, look))
  peers.link('source', 'loader')
  peers.run()
  expect(isThere).toBe(true)
  expect(partitionOf(loader).replica.table.slotOf(`more ${written - 1}`)).toBeDefined()
  expect(stateOf(loader)).toEqual(stateOf(source))
})

test('while a session is under way, own writes go straight to the neighbour, also those that gossip loses', () => {
  const peers = new WiredPeers()
  for (const name of ['source', 'far', 'loader']) peers.open(name, undefined, { direct: true })
  peers.link('source', 'far')
  fill(peers, 'source')
  peers.advance(5000)
  // 'far' is no neighbour of the loader, so that frames go by gossip, and gossip does not work yet.
  peers.deliver = ({ message, to }) => message.type !== 'frame' || to !== undefined
  const there: unknown[] = []
  const look = (): unknown => there.push(peers.value('source', 'mine'))
  atChunk(
    peers,
    'loader',
    new Map<number, () => unknown>([
      [3, () => peers.write('loader', 'mine', 1)],
      [3 + CHUNKS_IN_FLIGHT_MAX, look],
    ]),
  )
  peers.link('source', 'loader')
  peers.run()
  expect(there).toEqual([1])
  expect(stateOf(peers.peer('loader'))).toEqual(stateOf(peers.peer('source')))
  // Afterwards they go by gossip alone.
  peers.passed.length = 0
  peers.write('loader', 'later', 3)
  peers.run()
  expect(peers.passed.map(({ from, to, message }) => [from, to, message.type])).toEqual([
    ['loader', undefined, 'frame'],
  ])
})

test('while one neighbour sends much, another one does not send the same', () => {
  const peers = new WiredPeers()
  peers.mesh('source', 'other')
  fill(peers, 'source', 2000)
  peers.advance(10_000)
  const loader = peers.open('loader')
  peers.deliver = ({ message }) => {
    // All together take longer than a session is deferred for one that brings little.
    if (message.type === 'chunk') peers.monotonicMs += 100
    return true
  }
  peers.link('source', 'loader')
  peers.link('other', 'loader')
  peers.run()
  const received = peers.events('loader', 'session').map(({ rowsReceived }) => rowsReceived)
  expect(received.reduce((sum, rows) => sum + rows, 0)).toBe(2000)
  expect(stateOf(loader)).toEqual(stateOf(peers.peer('source')))
})

test('an own write leaves when two batches are stored, whatever of a session is still to come', () => {
  const peers = new WiredPeers()
  const disk = new TestDisk()
  peers.open('source', undefined, { direct: true })
  fill(peers, 'source')
  peers.open('loader', disk, { direct: true })
  peers.link('source', 'loader')
  disk.paused = true
  const { replica } = partitionOf(peers.peer('loader'))
  for (let batches = 0; batches < 5; batches++) {
    peers.run()
    peers.answer('loader')
  }
  const before = replica.table.size
  expect(before).toBeLessThan(1000)
  peers.write('loader', 'mine', 1)
  let batches = 0
  for (; peers.value('source', 'mine') === undefined; batches++) {
    peers.run()
    peers.answer('loader')
    peers.run()
  }
  expect(batches).toBeLessThanOrEqual(2)
  expect(replica.table.size).toBeLessThan(1000)
})
