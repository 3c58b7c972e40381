import { openGrid } from 'gossipgrid'
import type { OpenGridOptions, PartitionWriteOptions } from 'gossipgrid'
import { linesOf } from './lines-of.ts'

/** What a test asks of a peer that runs as a process of its own, a line each. */
export type Ask =
  | {
      readonly call: 'set'
      readonly key: string
      readonly value: number
      readonly options?: Pick<PartitionWriteOptions, 'copies' | 'timeoutMs'>
    }
  | { readonly call: 'getMany'; readonly keys: readonly string[]; readonly timeoutMs?: number }
  | { readonly call: 'owners'; readonly keys: readonly string[] }
  | { readonly call: 'size' | 'close' | 'state' }

/** How a peer stands. */
export interface PeerState {
  /** Other members by their state. */
  readonly members: Readonly<Record<string, string>>
  readonly underReplicated: number
  readonly unreachable: number
  readonly owned: number
  readonly whole: number
  /** Its writes that wait for their owners. */
  readonly hints: number
  /** Bytes that wait for the disk or to be broadcast. */
  readonly waitingBytes: number
  readonly memoryBytes: number
  /** Rows that sessions have brought it since it was opened. */
  readonly rowsReceived: number
}

const quiet = (): void => undefined
const options = JSON.parse(process.argv[2]!) as OpenGridOptions
const grid = await openGrid({
  ...options,
  listen: options.listen ?? ['/ip4/127.0.0.1/tcp/0'],
  mdns: false,
  logger: { debug: quiet, info: quiet, warn: quiet, error: quiet },
})
const map = grid.map<number>('users', { mode: 'partitioned', owners: 3, partitions: 64 })
const say = (said: object): void => void process.stdout.write(`${JSON.stringify(said)}\n`)
say({ peerId: grid.peerId, addresses: grid.addresses })

function stateNow(): PeerState {
  const { backlog, partitions, peers } = grid.status()
  const { hints, owned, underReplicated, unreachable, whole } = partitions
  return {
    ...{ hints, owned, underReplicated, unreachable, whole },
    members: Object.fromEntries(peers.filter(({ self }) => !self).map(({ peerId, state }) => [peerId, state])),
    waitingBytes: backlog.undurableBytes + backlog.broadcastBytes,
    memoryBytes: process.memoryUsage().rss,
    rowsReceived: grid.metrics().sessions.rowsReceived,
  }
}

async function answer(ask: Ask): Promise<unknown> {
  switch (ask.call) {
    case 'set':
      return map.set(ask.key, ask.value, ask.options)
    case 'getMany': {
      const found = await map.getMany(ask.keys, ask.timeoutMs === undefined ? {} : { timeoutMs: ask.timeoutMs })
      return { values: Object.fromEntries(found), unanswered: found.unanswered }
    }
    case 'owners':
      return Promise.all(ask.keys.map((key) => grid.owners('users', key)))
    case 'state':
      return stateNow()
    case 'size':
      return map.size()
    case 'close':
      return grid.close()
  }
}

for await (const line of linesOf(process.stdin)) {
  const { id, ask } = JSON.parse(line) as { id: number; ask: Ask }
  answer(ask).then(
    (result) => say({ id, result: result ?? null }),
    (error: { readonly code?: string; readonly message: string }) => say({ id, code: error.code ?? error.message }),
  )
}
process.exit(0)
