import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openGrid } from 'gossipgrid'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import { Surroundings, killed, removeAll } from './cli-rig/surroundings.ts'

afterAll(removeAll)

test('a variable for a secret that is set and empty never gives an open grid', async () => {
  const here = new Surroundings('empty', { GOSSIPGRID_SECRET: '' })
  expect(await here.error('peer', '--name', 'x', '--no-mdns')).toMatchObject({ exit: 2, code: 'USAGE' })
  const doctor = await here.error('doctor', '--name', 'x', '--no-mdns', '--join', '127.0.0.1:9')
  expect(doctor).toMatchObject({ exit: 2, code: 'USAGE' })
})

test('a secret or --open lets other machines in, an address alone never does', async () => {
  const here = new Surroundings('reach')
  const refused = await here.error('peer', '--name', 'x', '--no-mdns', '--listen', '4001')
  expect(refused).toMatchObject({ exit: 2, code: 'USAGE' })
  expect(refused.advice).toMatch(/--secret-file.*--open/)
  await here.ok('secret', '--out', 'secret')
  const both = await here.error('peer', '--name', 'x', '--no-mdns', '--open', '--secret-file', 'secret')
  expect(both).toMatchObject({ exit: 2, code: 'USAGE' })
  expect((await here.peer('--name', 'x', '--open')).started).toMatchObject({ reach: 'open' })
  expect((await here.peer('--name', 'x', '--secret-file', 'secret')).started).toMatchObject({ reach: 'private' })
})

test('by default a peer is for this machine only, and says how to share it', async () => {
  const here = new Surroundings('alone')
  const child = here.spawn('peer', '--name', 'alone', '--no-mdns')
  let shown = ''
  let log = ''
  child.stdout!.on('data', (chunk: Buffer) => (shown += chunk.toString()))
  child.stderr!.on('data', (chunk: Buffer) => (log += chunk.toString()))
  await expect.poll(() => shown, { timeout: 30_000 }).toContain('Ctrl-C closes it')
  expect(shown).toMatch(/alone {2}for this machine only/)
  expect(shown).toContain('Join from this machine')
  expect(shown).toMatch(/Tabs join by:\n {2}\/ip4\/127\.0\.0\.1\/tcp\/\d+\/ws\/p2p\//)
  expect(shown).not.toMatch(/private|ip4\/(?!127\.)/)
  expect(log).toMatch(/only programs on this machine can join it\. To share it, give all peers the same secret/)
  await killed(child, 'SIGTERM')
})

test('a peer on a port of its own is joined by processes and by tabs, and by what people type', async () => {
  const here = new Surroundings('tabs')
  const { started } = await here.peer('--name', 'tabs')
  const [port] = started.addresses.flatMap(
    (address) => /^\/ip4\/127\.0\.0\.1\/tcp\/(\d+)\/p2p/.exec(address)?.[1] ?? [],
  )
  expect(started.tabs).toMatch(/^\/ip4\/127\.0\.0\.1\/tcp\/\d+\/ws\/p2p\//)
  expect(started.join).toEqual([expect.stringMatching(/^\/ip4\/127\.0\.0\.1\/tcp\/\d+\/p2p\/\w+$/)])
  expect(started.addresses).toEqual(expect.arrayContaining([...started.join, started.tabs]))
  for (const join of [started.tabs, `127.0.0.1:${port}`, `localhost:${port}`, Number(port)]) {
    const grid = await openGrid({ name: 'tabs', mdns: false, listen: ['127.0.0.1:0'], join: [join] })
    onTestFinished(() => grid.close())
    await grid.ready()
    expect(
      grid.members.some(({ peerId, connected }) => peerId === started.peerId && connected),
      String(join),
    ).toBe(true)
  }
})

test('status waits for a peer that is being started, and no longer than asked', async () => {
  const here = new Surroundings('waiting')
  expect(await here.error('status', '--wait', '500ms')).toMatchObject({ exit: 3, code: 'NO_PEER' })
  const waiting = here.ok('status', '--wait', '60s')
  await here.peer('--name', 'late')
  expect(await waiting).toMatch(/grid +late/)
})

test('a private peer says that others need the same secret, and names no file that only its service sees', async () => {
  const shownBy = async (here: Surroundings): Promise<string> => {
    const child = here.spawn('peer', '--name', 'private', '--no-mdns', '--secret-file', secret)
    let shown = ''
    child.stdout!.on('data', (chunk: Buffer) => (shown += chunk.toString()))
    await expect.poll(() => shown, { timeout: 30_000 }).toContain('Ctrl-C closes it')
    await killed(child, 'SIGTERM')
    return shown
  }
  const directory = mkdtempSync(join(tmpdir(), 'credentials-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const secret = join(directory, 'secret')
  await new Surroundings('maker').ok('secret', '--out', secret)
  const typed = await shownBy(new Surroundings('typed'))
  expect(typed).toMatch(/Join from \w+ machine, with the same secret:/)
  expect(typed).toContain(`--secret-file ${secret} --join`)
  const service = await shownBy(new Surroundings('service', { CREDENTIALS_DIRECTORY: directory }))
  expect(service).toContain('--secret-file FILE --join')
})

test('as a service a peer says to systemd when it is up, and goes on with a warning where it cannot', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'service-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const called = join(directory, 'called')
  const notify = `#!/bin/sh\necho "$@" >${called}\n`
  writeFileSync(join(directory, 'systemd-notify'), notify, { mode: 0o755 })
  const service = { NOTIFY_SOCKET: join(directory, 'socket') }
  const here = new Surroundings('notified', { ...service, PATH: `${directory}:${process.env['PATH']}` })
  await here.peer('--name', 'notified')
  await expect.poll(() => readFileSync(called, 'utf8')).toBe('--ready\n')
  const without = new Surroundings('silent', { ...service, PATH: '/nowhere' })
  const child = without.spawn('peer', '--name', 'silent', '--no-mdns')
  let log = ''
  child.stderr!.on('data', (chunk: Buffer) => (log += chunk.toString()))
  await expect.poll(() => log, { timeout: 30_000 }).toContain('systemd does not hear that the peer is up')
  expect(await killed(child, 'SIGTERM')).toBe(0)
})
