import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer as createNetServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { openGrid } from 'gossipgrid'
import { createServer } from 'vite'
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { Chromium } from './browser/browser-rig.ts'
import { programsOf, saveProgram } from './docs-programs.ts'
import { RunningProgram } from './running-program.ts'
import { typeMistakes } from './type-mistakes.ts'

const run = promisify(execFile)
const START = 'docs/getting-started.md'
const LOOPBACK = "listen: ['/ip4/127.0.0.1/tcp/0', '/ip4/127.0.0.1/tcp/0/ws'], mdns: false, "
const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
let folder: string

beforeEach(async () => {
  // Inside the repository, so that the packages are found by name.
  folder = await mkdtemp(fileURLToPath(new URL('../examples/.generated-', import.meta.url)))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

/** Ports of this machine that are free now. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createNetServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map((server) => once(server, 'listening')))
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  for (const server of servers) server.close()
  return ports
}

function start(name: string, ...args: readonly string[]): RunningProgram {
  const program = new RunningProgram(folder, name, args)
  onTestFinished(() => program.kill())
  return program
}

describe('the programs that pages print', () => {
  it.each(['README.md', START, 'packages/grid/README.md'])('two terminals of %s', async (page) => {
    await saveProgram(page, 'a.ts', folder, LOOPBACK)
    await saveProgram(page, 'b.ts', folder, `join: process.argv.slice(2), ${LOOPBACK}`)
    // Instead of multicast, which would leave this machine, the second one is given the address of the first.
    const a = start('a.ts')
    const [address] = await a.addresses()
    const b = start('b.ts', address!)
    expect(await b.ended, b.output).toBe(0)
    await a.prints('greeting hello from b')
  })

  it.each(['docs/frameworks.md', 'docs/browser.md'])('Vite sees the lines for hot reload of %s', async (page) => {
    const text = await readFile(new URL(`../${page}`, import.meta.url), 'utf8')
    const module = /```ts\n((?:(?!```)[^])*import\.meta\.hot[^]*?)```/.exec(text)![1]!
    await writeFile(join(folder, 'grid.ts'), module)
    const server = await createServer({
      root: folder,
      logLevel: 'silent',
      server: { middlewareMode: true, hmr: false },
    })
    onTestFinished(() => server.close())
    expect((await server.transformRequest('/grid.ts'))?.code).toContain('createHotContext')
  })

  it('a counter on disk', async () => {
    await saveProgram(START, 'counter.ts', folder, LOOPBACK)
    for (const run of [1, 2]) {
      const counter = start('counter.ts')
      expect(await counter.ended, counter.output).toBe(0)
      expect(counter.output).toContain(`run ${run}, on disk: true`)
    }
  })

  it('a server peer and a page in two tabs, without a framework and with React, also after the server was away', async () => {
    const [port] = await freePorts(1)
    await saveProgram(START, 'server.ts', folder, `listen: ['/ip4/127.0.0.1/tcp/${port}/ws'], mdns: false, `)
    for (const name of ['index.html', 'main.ts', 'react.html', 'react.tsx']) await saveProgram(START, name, folder)
    const server = start('server.ts')
    await server.prints('server peer is running')
    const vite = await createServer({
      root: folder,
      configFile: false,
      logLevel: 'error',
      cacheDir: join(folder, 'vite'),
      server: { host: '127.0.0.1', port: 0, hmr: false },
    })
    onTestFinished(() => vite.close())
    await vite.listen()
    const browser = await Chromium.start()
    onTestFinished(() => browser.close())
    const url = vite.resolvedUrls!.local[0]!
    const [one, other] = [await browser.tab(url), await browser.tab(url)]
    await one.locator('input').fill('buy tea')
    await one.locator('input').press('Enter')
    await other.getByText('○ buy tea').click()
    await one.getByText('✓ buy tea').waitFor()
    await server.prints('buy tea')
    await expect.poll(() => other.locator('p').textContent()).toMatch(/^(equal to|nothing is missing here)/)

    const react = await browser.tab(`${url}react.html`)
    await react.getByText('✓ buy tea').waitFor()
    await server.kill()
    await react.locator('input').fill('ask ben')
    await react.locator('input').press('Enter')
    await one.getByText('○ ask ben').click()
    await react.getByText('✓ ask ben').waitFor()
    const again = start('server.ts')
    await again.prints('ask ben')
    await expect.poll(() => react.locator('p').textContent()).toBe('other peers: 3; equal')
  })

  it('a test of an application', async () => {
    await saveProgram('docs/testing.md', 'users.test.ts', folder)
    const { stdout } = await run(process.execPath, ['--test', join(folder, 'users.test.ts')])
    expect(stdout).toMatch(/a user who signs up in a split is known everywhere after it/)
    expect(stdout).toMatch(/pass 1\n/)
  })

  it('sessions in three processes, through a kill', async () => {
    await saveProgram('docs/sessions.md', 'session-server.ts', folder, `join: process.argv.slice(3), ${LOOPBACK}`)
    const ports = await freePorts(3)
    const at = (i: number, path: string): string => `http://127.0.0.1:${ports[i]}${path}`
    const first = start('session-server.ts', String(ports[0]))
    const [address] = await first.addresses()
    const others = [1, 2].map((i) => start('session-server.ts', String(ports[i]), address!))
    await Promise.all([first, ...others].map((server) => server.prints('http://127.0.0.1')))

    const login = await fetch(at(0, '/login?user=ada'))
    expect(await login.text()).toBe(`${ports[0]}: welcome, ada\n`)
    const cookie = login.headers
      .getSetCookie()
      .map((line) => line.split(';')[0])
      .join('; ')
    const ask = async (i: number, path = '/'): Promise<string> =>
      (await fetch(at(i, path), { headers: { cookie } })).text()
    // They may not have met yet, and a server says so when the time for the token is over.
    for (const i of [1, 2]) await expect.poll(() => ask(i)).toBe(`${ports[i]}: hello, ada\n`)
    await first.kill()
    expect(await ask(1)).toBe(`${ports[1]}: hello, ada\n`)
    expect(await ask(1, '/logout')).toBe(`${ports[1]}: hello, ada\n`)
    await expect.poll(() => ask(1)).toBe(`${ports[1]}: please log in\n`)
    const again = start('session-server.ts', String(ports[0]), ...(await others[0]!.addresses()))
    await again.prints('http://127.0.0.1')
    await expect.poll(() => ask(0)).toBe(`${ports[0]}: please log in\n`)
  })

  it('sessions: a token whose write is lost, or that is none, locks no user out', async () => {
    await saveProgram('docs/sessions.md', 'session-server.ts', folder, LOOPBACK)
    const [port] = await freePorts(1)
    await start('session-server.ts', String(port)).prints('http://127.0.0.1')
    // The write of a peer whose disk is lost.
    const lost = await openGrid({ name: 'shop', listen: [], mdns: false, logger: quiet })
    const { token } = await lost.map('sessions').set('s', { user: 'ada' })
    await lost.close()
    const ask = (cookie: string): Promise<Response> => fetch(`http://127.0.0.1:${port}/`, { headers: { cookie } })
    for (const [text, status] of [
      [token, 503],
      ['no token', 400],
    ] as const) {
      const answer = await ask(`session=s; token=${text}`)
      expect(answer.status).toBe(status)
      expect(answer.headers.getSetCookie()).toEqual(['token=; Max-Age=0'])
      // What went wrong is for the log of the server.
      expect(await answer.text()).toMatch(/^\d+: (?:please try again|that is no token)\n$/)
    }
    expect((await ask('session=s')).status).toBe(401)
  })

  it('have the right types', async () => {
    const names = (await programsOf(START)).map(({ name }) => name).filter((name) => /\.tsx?$/.test(name))
    for (const name of names) await saveProgram(START, name, folder)
    await saveProgram('docs/sessions.md', 'session-server.ts', folder)
    await saveProgram('docs/testing.md', 'users.test.ts', folder)
    const files = [...names, 'session-server.ts', 'users.test.ts'].map((name) => join(folder, name))
    expect(typeMistakes(files)).toEqual([])
  })

  it('all of them are run here', async () => {
    const names = async (page: string): Promise<string[]> => (await programsOf(page)).map(({ name }) => name)
    expect(await names('README.md')).toEqual(['a.ts', 'b.ts'])
    expect(await names('docs/testing.md')).toEqual(['users.test.ts'])
    expect(await names('docs/sessions.md')).toEqual(['session-server.ts'])
    expect(await names(START)).toEqual([
      ...['a.ts', 'b.ts', 'counter.ts'],
      ...['server.ts', 'index.html', 'main.ts', 'react.html', 'react.tsx'],
    ])
  })
})
