import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openGrid } from 'gossipgrid'
import type { Grid } from 'gossipgrid'
import { afterAll, expect, test } from 'vitest'
import { Surroundings, folder, killed, removeAll, until } from './cli-rig/surroundings.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const here = new Surroundings('guests')
const grids: Grid[] = []
const children: ChildProcess[] = []
const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

afterAll(async () => {
  await Promise.all(grids.map((grid) => grid.close()))
  await Promise.all(children.map((child) => killed(child)))
  await removeAll()
})

/** A guest in a process of its own, which prints the number of each write once it is stored there. */
const WRITER = `import { openGrid } from 'gossipgrid'
const [directory, pass, join] = process.argv.slice(1)
const grid = await openGrid({ name: 'shop', directory, pass, join: [join] })
const todos = grid.map('todos')
for (let i = 0; ; i++) {
  await todos.set('42/' + i, i)
  console.log(i)
}`

async function writeUntilKilled(directory: string, pass: string, join: string, count: number): Promise<number> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', WRITER, directory, pass, join], { cwd: ROOT })
  children.push(child)
  let printed = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text))
  let log = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (log += text))
  const exit = once(child, 'exit').then(() => true)
  await Promise.race([exit, until(() => printed.split('\n').length > count, 'writes')])
  await killed(child)
  const written = printed.split('\n').slice(0, -1).length
  if (written < count) throw new Error(`the guest did not write: ${log}`)
  return written
}

test('a peer serves guests, issues, shows and revokes passes', async () => {
  await here.ok('secret', '--out', 'shop.secret')
  const peer = ['--name', 'shop', '--secret-file', 'shop.secret', '--data', join(folder, 'shop')]
  const { child, started } = await here.peer(...peer, '--guests', '127.0.0.1:0')
  const { guests } = started as unknown as { guests: string[] }
  expect(guests).toEqual([expect.stringMatching(/^\/ip4\/127\.0\.0\.1\/tcp\/\d+\/ws\/p2p\//)])
  const issued = await here.json<{ pass: string; id: string }>(
    ...['pass', 'issue', 'user-42', '--write', 'todos:42/', '--read', 'news', '--expires', '30m', '--id', 'p42'],
  )
  expect(issued).toMatchObject({ id: 'p42', subject: 'user-42' })
  expect(await here.ok('pass', 'show', issued.pass)).toMatch(
    /user-42(.*\n)*.*read and write todos: keys that begin with "42\/"/,
  )
  expect(await here.error('pass', 'show', 'nonsense')).toMatchObject({ exit: 1, code: 'PASS_INVALID' })
  expect(await here.error('pass', 'issue', 'ada')).toMatchObject({ exit: 2, code: 'USAGE' })
  expect(await here.error('pass', 'show', issued.pass, '--read', 'a')).toMatchObject({ exit: 2, code: 'USAGE' })
  const counted = [
    '--write-set',
    'tags:42/',
    '--read-set',
    'staff',
    '--write-counter',
    'votes',
    '--read-counter',
    'x:1/',
  ]
  const signals = ['--publish', 'chat/', '--listen', 'news/', '--edit', 'boards/', '--presence']
  const { pass: chatPass } = await here.json<{ pass: string }>('pass', 'issue', 'ada', ...signals, ...counted)
  expect((await here.json<{ grants: unknown }>('pass', 'show', chatPass)).grants).toEqual([
    { set: 'tags', prefix: '42/', may: 'write' },
    { set: 'staff', may: 'read' },
    { counter: 'votes', may: 'write' },
    { counter: 'x', prefix: '1/', may: 'read' },
    { doc: 'boards/', may: 'write' },
    { topic: 'chat/', may: 'write' },
    { topic: 'news/', may: 'read' },
    { presence: true },
  ])
  const shown = await here.ok('pass', 'show', chatPass)
  for (const words of [
    'see who is present',
    'read and write the set tags: keys that begin with "42/"',
    'read and write the counter votes: all keys',
  ])
    expect(shown).toContain(words)
  await here.ok('set', 'news', 'today', 'sun')
  const options = { name: 'shop', logger: silent, pass: issued.pass, join: guests }
  const guest = await openGrid(options)
  grids.push(guest)
  await guest.ready()
  expect(await guest.map('news').get('today')).toBe('sun')
  await guest.map('todos').set('42/milk', 1)
  await until(() => guest.status().guest?.waitingWrites === 0, 'the answer')
  expect(await here.ok('get', 'todos', '42/milk')).toBe('1\n')
  expect(await here.ok('status')).toMatch(/guests\s+1 connected.*1 write taken/)
  expect(await here.ok('pass', 'revoke', 'p42')).toContain('Revoked: p42')
  await until(() => guest.status().guest?.problem.includes('revoked') === true, 'the end')
  expect(await killed(child, 'SIGTERM')).toBe(0)
})

test('a guest and a member that are killed lose no write that was acknowledged to the guest', async () => {
  const peer = ['--name', 'shop', '--secret-file', 'shop.secret', '--data', join(folder, 'shop')]
  const { child, started } = await here.peer(...peer, '--guests', '127.0.0.1:0')
  const [address] = (started as unknown as { guests: string[] }).guests
  const { pass } = await here.json<{ pass: string }>('pass', 'issue', 'ada', '--write', 'todos:42/')
  const directory = join(folder, 'guest')
  const first = await writeUntilKilled(directory, pass, address!, 50)
  // The member goes in the middle of the second run, and comes back at the same port.
  const second = writeUntilKilled(directory, pass, address!, first + 300)
  await new Promise((resolve) => setTimeout(resolve, 1500))
  await killed(child)
  const written = Math.max(first, await second)
  const [, port] = /\/tcp\/(\d+)/.exec(address!)!
  await here.peer(...peer, '--guests', `127.0.0.1:${port}`)
  const guest = await openGrid({ name: 'shop', logger: silent, directory, pass, join: [address!] })
  grids.push(guest)
  expect(guest.map('todos').size).toBeGreaterThanOrEqual(written)
  await guest.ready()
  await until(() => guest.status().guest?.waitingWrites === 0, 'the answers')
  const { size } = guest.map('todos')
  expect(guest.map('todos').peek(`42/${written - 1}`)).toBe(written - 1)
  const entries = (await here.ok('entries', 'todos', '--prefix', '42/')).trim().split('\n')
  expect(entries.length).toBe(size)
})

test('says what is wrong with --guests', async () => {
  const { code, stderr } = await here.run(['peer', '--name', 'shop', '--guests', '127.0.0.1:0', '--no-mdns'])
  expect(code).toBe(2)
  expect(stderr).toMatch(/guests need a grid with a secret/)
})
