/**
 * Run by tests under each server runtime: a peer of a private grid that answers each line on standard input by one line of
 * JSON. `dial ADDRESS` makes it dial, `files COUNT` open that many files at once; `use` asks what it has used since the last
 * time.
 */
import { closeSync, openSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { deriveChannel } from '../channel.ts'
import { delay } from '../ending.ts'
import { libp2pNetwork } from '../libp2p-network.ts'

/** After this long without a stranger, what is left in memory stays there. */
const SETTLE_MS = 100

const network = await libp2pNetwork({
  channels: [await deriveChannel('cost', 'a secret that no stranger has')],
  listen: ['/ip4/127.0.0.1/tcp/0', '/ip4/127.0.0.1/tcp/0/ws'],
  mdns: false,
})
await network.start({
  connected: () => undefined,
  disconnected: () => undefined,
  message: () => undefined,
  broadcast: () => undefined,
  direct: () => undefined,
  hostile: () => undefined,
})

const runtime = globalThis as { gc?: () => void }

async function answer(line: string): Promise<void> {
  const [, address] = /^dial (.*)$/.exec(line) ?? []
  if (address !== undefined) {
    await network.dial(address, { signal: AbortSignal.timeout(2000) }).catch(() => undefined)
    console.log('{}')
    return
  }
  const [, count] = /^files (.*)$/.exec(line) ?? []
  if (count !== undefined) {
    console.log(JSON.stringify({ files: openFiles(Number(count)) }))
    return
  }
  await delay(SETTLE_MS)
  const cpuMs = cpuUsedMs()
  runtime.gc?.()
  const heapBytes = process.memoryUsage().heapUsed
  // Counting starts again once the garbage of this answer is gone.
  console.log(JSON.stringify({ cpuMs: cpuMs - startMs, heapBytes, addresses: network.addresses() }))
  startMs = cpuUsedMs()
}

/** How many files can be open at the same time, up to `count`. */
function openFiles(count: number): number {
  const files: number[] = []
  try {
    while (files.length < count) files.push(openSync(fileURLToPath(import.meta.url), 'r'))
  } catch {
    // That was one too many.
  }
  for (const file of files) closeSync(file)
  return files.length
}

function cpuUsedMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

let startMs = 0
let said = ''
process.stdin.on('data', (chunk: Buffer) => {
  const lines = (said + chunk.toString()).split('\n')
  said = lines.pop() ?? ''
  for (const line of lines) void answer(line)
})
process.stdin.on('end', () => process.exit())
