/**
 * One peer of the demo, in its own process. It answers the conductor's calls over the IPC channel, and reports every
 * change of its state. `PeerProcess` forks it.
 */
import { rmSync, rmdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { libp2pNetwork, openGrid } from 'gossipgrid'
import type { Grid, GridMap, Libp2pNetwork, Logger, PartitionedMap } from 'gossipgrid'
import type {
  AckedVersion,
  OrderedWrite,
  PeerCalls,
  PeerMessage,
  PeerOpening,
  PeerRequest,
  PeerState,
} from './peer-calls.ts'
import { withDeadline } from './deadline.ts'
import { anEntryAt, copiesAt, partitionsState } from './own-copies.ts'
import { dropEntry } from './sabotage.ts'
import { takeSeat } from './seat.ts'
import { valueHash } from './value-hash.ts'
import { stored, work } from './work.ts'

/** How often a peer checks whether its state has changed. The demo measures times by it. */
const STATE_INTERVAL_MS = 15
/** The state of partitions costs more, and is only looked at. */
const PARTITIONS_INTERVAL_MS = 250
/** The number of sent bytes changes all the time: it is reported this often if nothing else changes. */
const TRAFFIC_INTERVAL_MS = 1000
/** A peer that has lost its conductor has this much time to close in good order. */
const ORPHAN_CLOSE_MAX_MS = 3000

/** The partitioned map has another name: the search of the demo's page looks through a replicated one. */
const PLACES = 'places'
const OWNERS = 3

interface OpenPeer {
  readonly grid: Grid
  readonly cities: GridMap<object> | PartitionedMap<object>
  /** The same map, where it is partitioned. */
  readonly places: PartitionedMap<object> | undefined
  readonly network: Libp2pNetwork
  readonly directory: string
}

type Answering = { [Name in keyof PeerCalls]: (ask: PeerCalls[Name]['ask']) => Promise<PeerCalls[Name]['answer']> }

let opened: OpenPeer | undefined
let watch: ReturnType<typeof setInterval> | undefined

const answering: Answering = {
  open: async (opening) => {
    opened = await open(opening)
    const { grid } = opened
    const entriesFromDisk = stateOf(opened).entries
    watchState(opened)
    return { peerId: grid.peerId, addresses: grid.addresses, entriesFromDisk }
  },
  write: (writes) => {
    const { cities, places: map } = peer()
    return Promise.all(writes.map((write) => (map === undefined ? acknowledged(cities, write) : stored(map, write))))
  },
  read: async (key) => (await peer().cities.get(key)) ?? null,
  state: async () => stateOf(peer()),
  block: async (peerIds) => {
    peer().network.block(peerIds)
    return null
  },
  unblock: async () => {
    peer().network.unblock()
    return null
  },
  audit: async () => {
    const found: [string, string][] = []
    for await (const [key, value] of peer().cities.entries()) found.push([key, valueHash(value)])
    return found
  },
  seat: async (number) => {
    const { grid, places } = peer()
    takeSeat(grid, number, places?.name)
    return null
  },
  sabotage: async (key) => {
    const { partition } = (peer().cities as GridMap<object>).asCopied
    dropEntry(partition, key)
    return null
  },
  work: (asked) => work(places(), asked),
  copies: async () => copiesAt(peer().grid, places().name),
  leave: async (timeoutMs) => {
    await peer().grid.leave({ timeoutMs })
    clearInterval(watch)
    return null
  },
  forget: (peerId) => peer().grid.forget(peerId),
  sabotageCopy: async () => {
    const { partition, key } = anEntryAt(peer().grid, places().name)
    dropEntry(partition, key)
    return key
  },
  close: async () => {
    clearInterval(watch)
    await opened?.grid.close()
    return null
  },
}

async function open(opening: PeerOpening): Promise<OpenPeer> {
  const { name, directory, listen, join, blocked, partitioned } = opening
  let network: Libp2pNetwork | undefined
  const grid = await openGrid({
    name,
    directory,
    listen,
    join,
    mdns: false,
    // With another address the user wants peers of other machines to join.
    open: !listen.every((address) => address.startsWith('/ip4/127.')),
    logger: stderrLogger,
    network: async (options) => {
      network = await libp2pNetwork(options)
      network.block(blocked)
      return network
    },
  })
  if (network === undefined) throw new Error('the grid was opened without its network')
  const places = partitioned ? grid.map<object>(PLACES, { mode: 'partitioned', owners: OWNERS }) : undefined
  return { grid, cities: places ?? grid.map<object>('cities'), places, network, directory }
}

function peer(): OpenPeer {
  if (opened === undefined) throw new Error('this peer is not open')
  return opened
}

function places(): PartitionedMap<object> {
  const { places: map } = peer()
  if (map === undefined) throw new Error('the cities of this demo are not partitioned')
  return map
}

async function acknowledged(cities: OpenPeer['cities'], write: OrderedWrite): Promise<AckedVersion> {
  const receipt = await (write.value === null ? cities.delete(write.key) : cities.set(write.key, write.value))
  if (receipt === undefined) throw new Error(`there is no '${write.key}' to delete`)
  return [receipt.version.hlc, receipt.version.replicaId]
}

function stateOf({ grid, cities: { name: title }, network, places: map }: OpenPeer): PeerState {
  const status = grid.status()
  const cities = status.collections.find(({ name }) => name === title)
  return {
    entries: cities?.entries ?? 0,
    fingerprint: cities?.fingerprint ?? '',
    neighbours: network.neighbours().length,
    conflicts: cities?.conflicts ?? 0,
    sentBytes: status.traffic.sentBytes,
    ...(map !== undefined && { partitions: partitionsState(grid, title) }),
  }
}

function watchState(watched: OpenPeer): void {
  let last = ''
  let lastMs = 0
  const look = (): void => {
    const state = stateOf(watched)
    const nowMs = performance.now()
    const text = JSON.stringify({ ...state, sentBytes: 0 })
    if (text === last && nowMs - lastMs < TRAFFIC_INTERVAL_MS) return
    last = text
    lastMs = nowMs
    tell({ type: 'state', state })
  }
  watch = setInterval(look, watched.places === undefined ? STATE_INTERVAL_MS : PARTITIONS_INTERVAL_MS)
}

/** A call to a conductor that has just died is no error: `disconnect` follows in a moment. */
function tell(message: PeerMessage): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined)
}

async function answer(request: PeerRequest): Promise<void> {
  const { id, call, ask } = request
  try {
    tell({ type: 'answer', id, answer: await answering[call](ask as never) })
    if (call === 'close') process.disconnect()
  } catch (error) {
    tell({ type: 'failure', id, text: error instanceof Error ? error.message : String(error) })
  }
}

/** The conductor is gone: leave nothing behind, whether the grid closes in good order or not. */
async function orphaned(): Promise<void> {
  clearInterval(watch)
  if (opened === undefined) process.exit(0)
  const { grid, directory } = opened
  await withDeadline(ORPHAN_CLOSE_MAX_MS, 'closing', grid.close()).catch(() => undefined)
  rmSync(directory, { recursive: true, force: true })
  try {
    // The last peer to end removes the common folder.
    rmdirSync(dirname(directory))
  } catch {
    // Others are still running.
  }
  process.exit(0)
}

const stderrLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: (message) => void process.stderr.write(`${message}\n`),
  error: (message) => void process.stderr.write(`${message}\n`),
}

// A failed report to a dead conductor must not end the peer before it has cleaned up.
process.stderr.on('error', () => undefined)
// Ctrl-C reaches the whole group of processes; the conductor decides what to do.
process.on('SIGINT', () => undefined)
process.on('disconnect', () => void orphaned())
process.on('message', (request: PeerRequest) => void answer(request))
