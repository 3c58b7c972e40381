import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Grid } from 'gossipgrid'
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest'
import { ControlClient } from './control-client.ts'
import { serveControl } from './control-server.ts'
import type { ControlServer } from './control-server.ts'
import { announce, choosePeer, forgetPredecessors, runningPeers, shortId, socketPath } from './running-peer.ts'
import type { RunningPeer } from './running-peer.ts'
import { RUNTIME_DIRECTORY_VARIABLE, makeRuntimeDirectory, runtimeDirectories } from './runtime-directory.ts'

const PEER_ID = '12D3KooWGdR2NAPoKNmANyNXrz9k7sSHkD6MLT7Ab5Ang3vcpDe2'
const facts = { pid: process.pid, version: '0.0.0', directory: '', metrics: '' }

let folder: string
let environment: Record<string, string>
let server: ControlServer | undefined

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gg-'))
  environment = { [RUNTIME_DIRECTORY_VARIABLE]: join(folder, 'run') }
})

afterEach(async () => {
  await server?.close()
  server = undefined
  rmSync(folder, { recursive: true, force: true })
})

function peer(name: string, pid: number, peerId: string = PEER_ID): RunningPeer {
  const socket = join(folder, 'run', `${name}.sock`)
  return { socket, pid, name, peerId, directory: '', startedAt: '' }
}

/** A grid of which only changes are used. */
function watchedGrid(iterator: AsyncIterableIterator<unknown>, onSignal: (signal: AbortSignal) => void): Grid {
  const map = {
    changes: ({ signal }: { signal: AbortSignal }) => {
      onSignal(signal)
      return iterator
    },
  }
  return {
    name: 'watched',
    peerId: PEER_ID,
    map: () => map,
    collections: () => [{ name: 'c', kind: 'map' }],
  } as unknown as Grid
}

async function until(holds: () => boolean): Promise<void> {
  const endMs = performance.now() + 60_000
  while (!holds()) {
    if (performance.now() > endMs) throw new Error('it never came about')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

test('a reader that goes away ends the stream at the peer, also while nothing changes', async () => {
  let signal: AbortSignal | undefined
  async function* silence(): AsyncGenerator<unknown, void, undefined> {
    yield { type: 'delete', key: 'a' }
    await new Promise((resolve) => signal!.addEventListener('abort', resolve))
  }
  server = await serveControl({
    grid: watchedGrid(silence(), (given) => (signal = given)),
    socket: join(folder, 's'),
    facts,
  })
  const client = new ControlClient(server.socket)
  const lines = client.lines('/v1/changes', { query: { collection: 'c' } })
  expect((await lines.next()).value).toBe('{"type":"delete","key":"a"}')
  expect(signal!.aborted).toBe(false)
  await lines.return()
  await until(() => signal!.aborted)
  client.close()
})

test('a slow reader slows the peer down instead of filling its memory', async () => {
  let produced = 0
  async function* torrent(): AsyncGenerator<unknown, void, undefined> {
    for (;;) {
      produced += 1
      yield { type: 'set', key: 'k', value: 'x'.repeat(10_000) }
    }
  }
  server = await serveControl({ grid: watchedGrid(torrent(), () => undefined), socket: join(folder, 's'), facts })
  const client = new ControlClient(server.socket)
  const lines = client.lines('/v1/changes', { query: { collection: 'c' } })
  await lines.next()
  await new Promise((resolve) => setTimeout(resolve, 300))
  expect(produced).toBeLessThan(2000)
  await lines.return()
  client.close()
})

test('lines of a stream end only where the peer ends them, whatever is in them', async () => {
  const keys = ['\u2028', '\u2029', '\u0085', '\r', '\0', '\ufeff', 'é𝄞'.repeat(500_000), '{"end":0}']
  async function* deletes(): AsyncGenerator<unknown, void, undefined> {
    for (const key of keys) yield { type: 'delete', key }
  }
  server = await serveControl({ grid: watchedGrid(deletes(), () => undefined), socket: join(folder, 's'), facts })
  const client = new ControlClient(server.socket)
  const seen: string[] = []
  for await (const line of client.lines('/v1/changes', { query: { collection: 'c' } })) {
    seen.push((JSON.parse(line) as { key: string }).key)
  }
  expect(seen).toEqual(keys)
  client.close()
})

test('a command that stood still for a while is answered on the connection that it has', async () => {
  server = await serveControl({ grid: watchedGrid(noChanges(), () => undefined), socket: join(folder, 's'), facts })
  const client = new ControlClient(server.socket)
  const call = async (): Promise<unknown> => client.text('/v1/nothing').catch((error: unknown) => error)
  expect(await call()).toMatchObject({ message: expect.stringContaining('no call GET') as string })
  // Servers of Node close a connection that was idle for five seconds.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 6500)
  expect(await call()).toMatchObject({ message: expect.stringContaining('no call GET') as string })
  client.close()
})

test('only the user can open the socket', async () => {
  server = await serveControl({ grid: watchedGrid(noChanges(), () => undefined), socket: join(folder, 's'), facts })
  expect(statSync(server.socket).mode & 0o777).toBe(0o600)
  expect(statSync(makeRuntimeDirectory(environment)).mode & 0o777).toBe(0o700)
})

test('a socket of a killed peer is replaced, one that answers is not, and another file never', async () => {
  const grid = watchedGrid(noChanges(), () => undefined)
  const path = join(folder, 's')
  server = await serveControl({ grid, socket: path, facts })
  await expect(serveControl({ grid, socket: path, facts })).rejects.toThrow('another peer has its socket')
  writeFileSync(join(folder, 'file'), 'precious')
  await expect(serveControl({ grid, socket: join(folder, 'file'), facts })).rejects.toThrow('is no socket')
  await server.close()
  expect(existsSync(`${path}.json`)).toBe(false)
  server = await serveControl({ grid, socket: path, facts })
})

test('the remains of killed peers are removed, and running peers are found', async () => {
  const directory = makeRuntimeDirectory(environment)
  announce(peer('alive', process.pid), directory, environment)
  announce(peer('dead', 2 ** 22 + 1), directory, environment)
  await leaveSocket(peer('dead', 0).socket)
  writeFileSync(join(directory, 'broken.sock.json'), '{')
  expect(runningPeers(environment).map(({ name }) => name)).toEqual(['alive'])
  expect(existsSync(peer('dead', 0).socket)).toBe(false)
  expect(await choosePeer({}, environment)).toBe(peer('alive', 0).socket)
  forgetPredecessors(directory)
  expect(runningPeers(environment)).toEqual([])
})

test('where several peers run, the error says by which option to choose one', async () => {
  const directory = makeRuntimeDirectory(environment)
  const start = async (name: string, file: string, peerId: string): Promise<void> => {
    const running = { ...peer(file, process.pid, peerId), name }
    announce(running, directory, environment)
    const listening = createServer().listen(running.socket)
    await once(listening, 'listening')
    onTestFinished(() => void listening.close())
  }
  await start('shop', 'first', PEER_ID)
  await start('news', 'second', PEER_ID)
  await expect(choosePeer({}, environment)).rejects.toMatchObject({ advice: 'Choose one, as with --name news.' })
  await start('shop', 'third', PEER_ID.replace('cpDe2', 'cpDe3'))
  await expect(choosePeer({ name: 'shop' }, environment)).rejects.toMatchObject({
    code: 'SEVERAL_PEERS',
    advice: 'Choose one, as with --peer g3vcpDe2.',
  })
  expect(await choosePeer({ peer: 'cpDe3' }, environment)).toBe(peer('third', 0).socket)
})

test('only files that a peer made are removed or replaced', async () => {
  const directory = makeRuntimeDirectory(environment)
  const record = JSON.stringify({ ...peer('x', 2 ** 22 + 1), socket: join(folder, 'precious') })
  const files = {
    'package.json': '{"name":"mine"}',
    'notes.json': 'not JSON at all',
    'numbers.json': '{"pid":12345678,"socket":"x"}',
    // A record of a dead peer that names a file, and one that names paths outside of the directory.
    'file.sock': 'no socket',
    'file.sock.json': JSON.stringify({ ...peer('file', 2 ** 22 + 1) }),
    'strange.sock.json': record,
  }
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text)
  // Reading these would wait for ever, or never end.
  execFileSync('mkfifo', [join(directory, 'pipe.sock.json')])
  symlinkSync('/dev/zero', join(directory, 'zero.sock.json'))
  mkdirSync(join(directory, 'folder.sock.json'))
  for (const name of ['precious', 'precious.json']) writeFileSync(join(folder, name), 'mine')
  expect(runningPeers(environment)).toEqual([])
  expect(readdirSync(directory).toSorted()).toEqual(
    [
      'file.sock',
      'folder.sock.json',
      'notes.json',
      'numbers.json',
      'package.json',
      'pipe.sock.json',
      'strange.sock.json',
      'zero.sock.json',
    ].toSorted(),
  )
  expect(readFileSync(join(folder, 'precious'), 'utf8')).toBe('mine')
  expect(readFileSync(join(folder, 'precious.json'), 'utf8')).toBe('mine')
})

test('a socket in a place of the user’s choice, where no command looks, gets no record', async () => {
  mkdirSync(join(folder, 'app'))
  const socket = join(folder, 'app', 'peer')
  writeFileSync(`${socket}.json`, 'mine')
  writeFileSync(`${socket}.json.part`, 'mine')
  server = await serveControl({ grid: watchedGrid(noChanges(), () => undefined), socket, facts })
  expect(readdirSync(join(folder, 'app')).toSorted()).toEqual(['peer', 'peer.json', 'peer.json.part'])
  await server.close()
  expect(readFileSync(`${socket}.json`, 'utf8')).toBe('mine')
})

test('a name or id selects a peer, and the error lists the running ones', async () => {
  const directory = makeRuntimeDirectory(environment)
  await expect(choosePeer({}, environment)).rejects.toThrow('no peer of yours runs')
  announce(peer('one', process.pid), directory, environment)
  announce(peer('two', process.pid, `${PEER_ID.slice(0, -2)}XX`), directory, environment)
  expect(await choosePeer({ name: 'two' }, environment)).toBe(peer('two', 0).socket)
  expect(await choosePeer({ peer: shortId(PEER_ID) }, environment)).toBe(peer('one', 0).socket)
  await expect(choosePeer({ name: 'three' }, environment)).rejects.toThrow('no such peer runs here')
  expect(await choosePeer({}, { ...environment, GOSSIPGRID_SOCKET: '/elsewhere' })).toBe('/elsewhere')
  // Their processes exist. Only a call shows whether they are peers.
  await expect(choosePeer({}, environment)).rejects.toThrow('no peer of yours runs')
  const grid = watchedGrid(noChanges(), () => undefined)
  server = await serveControl({ grid, socket: peer('one', 0).socket, facts, environment })
  expect(await choosePeer({}, environment)).toBe(peer('one', 0).socket)
  const other = await serveControl({ grid, socket: peer('two', 0).socket, facts, environment })
  await expect(choosePeer({}, environment)).rejects.toThrow(`--name watched --peer ${shortId(PEER_ID)}`)
  await other.close()
})

test('the path of a socket fits the limits of systems, whatever the name of the grid', async () => {
  const long = socketPath('/run/user/1000/gossipgrid', 'Grüße / '.repeat(15), PEER_ID)
  expect(Buffer.byteLength(long)).toBeLessThan(103)
  expect(long).toMatch(/^[\w/.-]+$/)
  expect(socketPath(`/tmp/${'d'.repeat(80)}`, 'demo', PEER_ID)).toMatch(/\/[0-9a-f]{8}\.sock$/)
  expect(() => socketPath(`/tmp/${'d'.repeat(90)}`, 'demo', PEER_ID)).toThrow('at most 103 bytes')
  // The system agrees.
  const fitting = join(folder, 'x'.repeat(103 - Buffer.byteLength(folder) - 1))
  const listening = createServer()
  await new Promise<void>((resolve) => listening.listen(fitting, resolve))
  await new Promise((resolve) => listening.close(resolve))
})

test('a directory of another user is refused for sockets', () => {
  const [usual] = runtimeDirectories({})
  expect(usual).toMatch(/gossipgrid/)
  writeFileSync(join(folder, 'file'), '')
  expect(() => makeRuntimeDirectory({ [RUNTIME_DIRECTORY_VARIABLE]: join(folder, 'file') })).toThrow(/file/)
})

/** A socket as a killed process leaves it: its name exists, but no process listens. */
async function leaveSocket(path: string): Promise<void> {
  const script =
    'require("node:net").createServer().listen(process.argv[1], () => process.kill(process.pid, "SIGKILL"))'
  const child = spawn(process.execPath, ['-e', script, path])
  await once(child, 'exit')
}

async function* noChanges(): AsyncGenerator<unknown, void, undefined> {
  yield* []
}
