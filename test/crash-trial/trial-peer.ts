/**
 * Prints the contents of its directory, then writes bursts and prints every acknowledged write, until it is killed or
 * its input ends. Then it closes. Arguments: directory, round.
 */
import process from 'node:process'
import { setImmediate } from 'node:timers'
import { openGrid } from 'gossipgrid'
import { printNow } from '../../packages/storage/src/crash-trial-output.ts'
import { checkTrialValue, trialBurst, trialValue } from './trial-writes.ts'
import type { TrialValue } from './trial-writes.ts'

const BURSTS_UNDER_WAY_MAX = 6

const [directory, round] = process.argv.slice(2)
const warnings: string[] = []
const quiet = (): void => undefined
const logger = { debug: quiet, info: quiet, warn: (line: string) => void warnings.push(line), error: quiet }
let ending = false
process.stdin.on('end', () => (ending = true)).resume()

function tell(type: string, content: unknown): void {
  printNow(`${type} ${JSON.stringify(content)}`)
}

const grid = await openGrid({
  name: 'trial',
  directory: directory!,
  listen: ['/ip4/127.0.0.1/tcp/0'],
  mdns: false,
  logger,
}).catch((error: { code: string; message: string }) => {
  tell('refused', { code: error.code, message: error.message })
  process.exit(0)
})
const map = grid.map<TrialValue>('trial')

const entries: Record<string, number> = {}
for await (const [key, value] of map.entries()) {
  checkTrialValue(key, value)
  entries[key] = value.n
}
const { replicaId, recoveries } = grid.status()
tell('opened', { replicaId, recoveries, warnings, entries })

let logBytes = 0
let healthy = true
const underWay = new Set<Promise<unknown>>()
for (let burst = 0; !ending; burst++) {
  const writes = trialBurst(Number(round), burst)
  const sets = writes.filter(({ type }) => type === 'set')
  const [one, ...many] = sets.map(({ n, key }): [string, TrialValue] => [key, trialValue(n)])
  const settled = [
    followed(sets[0]!.n, map.set(...one!)),
    followed(sets.at(-1)!.n, map.setMany(many)),
    ...writes.filter(({ type }) => type === 'delete').map(({ n, key }) => followed(n, map.delete(key))),
  ]
  const all = Promise.all(settled)
  underWay.add(all)
  void all.then(() => underWay.delete(all))
  // The next burst comes in another turn of the event loop, once the disk has caught up a bit.
  await new Promise((resolve) => setImmediate(resolve))
  while (underWay.size >= BURSTS_UNDER_WAY_MAX) await Promise.race(underWay)
  tellStorage()
}
await grid.close()
tell('closed', {})
process.exit(0)

async function followed(n: number, written: ReturnType<typeof map.delete | typeof map.setMany>): Promise<void> {
  try {
    const receipt = await written
    const receipts = Array.isArray(receipt) ? receipt : [receipt]
    if (receipts.every((each) => each?.durable === true)) tell('acknowledged', n)
  } catch (error) {
    tell('rejected', { n, code: (error as { code: string }).code })
    // Retrying at once would soon fill the peer's backlog, and a refused write breaks the order.
    await new Promise((resolve) => setTimeout(resolve, 500))
  }
}

function tellStorage(): void {
  const { storage } = grid.status()
  if (storage.logBytes !== logBytes) tell('log', (logBytes = storage.logBytes))
  if (storage.healthy === healthy) return
  healthy = storage.healthy
  tell('health', { healthy, error: storage.error })
}
