/**
 * `failed-starts.test.ts` runs it under each server runtime, with an empty directory. For each fault it opens a grid on
 * real
 * ports and a real disk, which fails, and then one in the same directory and on the same ports, which opens. It prints
 * one
 * line of JSON with the code of each failure, and ends by itself. With the name of a fault it tries that one alone.
 */
import { createServer } from 'node:net'
import type { Server } from 'node:net'
import { join } from 'node:path'
import { writeFile } from 'node:fs/promises'
import { GridError, libp2pNetwork, openGrid } from 'gossipgrid'
import type { Grid, Libp2pNetwork, OpenGridOptions } from 'gossipgrid'

const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
const [root, only] = process.argv.slice(2) as [string, string | undefined]
/** Aborted operations may take a moment to release their ports. */
const RELEASE_MAX_MS = 20_000
const directory = join(root, 'kept')
const taken = await listening()
const [free, other] = [await freePort(), await freePort()]
const sound = {
  name: 'failing',
  logger: quiet,
  mdns: false,
  directory,
  listen: [`/ip4/127.0.0.1/tcp/${free}`, `/ip4/127.0.0.1/tcp/${other}/ws`],
}
const takenAddress = `/ip4/127.0.0.1/tcp/${portOf(taken)}`

/** A network that really starts, and then fails. */
async function failingLate(options: Parameters<typeof libp2pNetwork>[0]): Promise<Libp2pNetwork> {
  const network = await libp2pNetwork(options)
  const start = network.start.bind(network)
  network.start = async (events) => {
    await start(events)
    throw new GridError('NETWORK_START_FAILED', 'injected')
  }
  return network
}

const FAULTS: Readonly<Record<string, () => Promise<Partial<OpenGridOptions>> | Partial<OpenGridOptions>>> = {
  'the port is taken': () => ({ listen: [takenAddress] }),
  'the second port is taken': () => ({ listen: [...sound.listen, takenAddress] }),
  'the port of WebSockets is taken': () => ({ listen: [sound.listen[0]!, `${takenAddress}/ws`] }),
  'the port is taken while others are looked for': () => ({ listen: [takenAddress], mdns: true }),
  'an address is none': () => ({ listen: [...sound.listen, 'nonsense'] }),
  'an address is not of this machine': () => ({ open: true, listen: [sound.listen[0]!, '/ip4/192.0.2.1/tcp/0'] }),
  'the directory is a file': async () => {
    await writeFile(join(root, 'file'), '')
    return { directory: join(root, 'file') }
  },
  'the network starts and fails then': () => ({ network: failingLate }),
  'the signal comes at once': () => ({ signal: AbortSignal.abort() }),
  'the signal comes while it starts': () => {
    const abort = new AbortController()
    const network: OpenGridOptions['network'] = async (options) => {
      const made = await libp2pNetwork(options)
      const start = made.start.bind(made)
      made.start = (events) => {
        const started = start(events)
        abort.abort()
        return started
      }
      return made
    }
    return { network, signal: abort.signal }
  },
}

const codes: Record<string, string> = {}
for (const [fault, options] of Object.entries(FAULTS)) {
  if (only !== undefined && fault !== only) continue
  const failing = await openGrid({ ...sound, ...(await options()) }).catch((error: unknown) => error)
  codes[fault] = failing instanceof GridError ? failing.code : String(failing)
  const grid = await openSound()
  await grid.map('m').set('k', fault)
  await grid.close()
}
await new Promise((resolve) => taken.close(resolve))
console.log(JSON.stringify(codes))

async function openSound(): Promise<Grid> {
  for (const endMs = performance.now() + RELEASE_MAX_MS; ;) {
    try {
      return await openGrid(sound)
    } catch (error) {
      if (performance.now() > endMs) throw error
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
}

function listening(): Promise<Server> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => resolve(server))
  })
}

async function freePort(): Promise<number> {
  const server = await listening()
  const port = portOf(server)
  await new Promise((resolve) => server.close(resolve))
  return port
}

function portOf(server: Server): number {
  return (server.address() as { port: number }).port
}
