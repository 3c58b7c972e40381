import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core'
import { problemAffectsResolutionKind as affects } from '@arethetypeswrong/core/problems'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { build, createLogger } from 'vite'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { openGrid } from 'gossipgrid'
import { Chromium } from '../browser/browser-rig.ts'
import { BuiltPage } from './built-page.ts'
import { PUBLISHED, PackedInstall } from './packed-install.ts'
import { RUNTIMES, runtimeCommand } from './runtime.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const SDK = ['core', 'storage', 'network', 'grid'] as const
/** The ways to import a package of ES modules. */
const IMPORTING = ['node16-esm', 'bundler'] as const
const LIMIT_MS = 600_000
const PACKAGES_MAX = 30
const SIZE_MAX_MEGABYTES = 25
/** How much memory a peer may take that holds nothing. Node alone takes 51 MB of it. */
const RSS_MAX_MEGABYTES = 100

/** This Node, without what an older one lacks, and with the version of that. */
const OLD_NODE = [
  process.execPath,
  '--import',
  `data:text/javascript,${[
    'delete Promise.withResolvers',
    "Object.defineProperty(process, 'version', { value: 'v20.19.0' })",
    "Object.defineProperty(process, 'versions', { value: { node: '20.19.0' } })",
  ].join(';')}`,
] as const

/** A test of a user's application, for every test runner. */
const LAB = `import { test } from 'node:test'
import { openLab } from '@gossipgrid/testing'
test('a split heals', async () => {
  const lab = await openLab({ peers: 3, latencyMs: 5 })
  lab.split([0], [1, 2])
  await lab.grids[0]!.map('users').set('ada', { age: 36 })
  lab.crash(1)
  await lab.restart(1)
  lab.heal()
  await lab.converged()
  if (lab.grids.some((grid) => grid.map('users').size !== 1)) throw new Error('ada is not everywhere')
  await lab.close()
})
`

/** How each runtime runs tests. */
const TEST_COMMANDS = { node: ['--test'], deno: ['test', '-A', '--no-check'], bun: ['test'] } as const

/** Counts its runs, in a directory that all runtimes share. */
const COUNTING = `import { openGrid } from 'gossipgrid'
const grid = await openGrid({ name: 'packed', directory: 'kept', listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false })
const runs = grid.map<number>('runs')
await runs.update('all', (count) => (count ?? 0) + 1)
console.log('run', runs.peek('all'))
await grid.close()
`

/** Prints the memory of a peer that is alone. */
const IDLE = `import { openGrid } from 'gossipgrid'
const grid = await openGrid({ name: 'idle', listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false, secret: 'a secret of no one else' })
await new Promise((resolve) => setTimeout(resolve, 2000))
console.log((process.memoryUsage.rss() / 1e6).toFixed(1))
await grid.close()
`

/** Connections over TCP and WebSockets. */
const MEETING = `import { openGrid } from 'gossipgrid'
import { openRelay } from 'gossipgrid/relay'
const options = { name: 'meeting', secret: 'a secret of these peers', mdns: false }
const relay = await openRelay({ listen: ['/ip4/127.0.0.1/tcp/0/ws'] })
const first = await openGrid({ ...options, listen: ['/ip4/127.0.0.1/tcp/0', '/ip4/127.0.0.1/tcp/0/ws'] })
const [tcp, ws] = ['tcp', 'ws'].map((way) => first.addresses.filter((address) => address.includes('/ws') === (way === 'ws')))
const second = await openGrid({ ...options, listen: ['/ip4/127.0.0.1/tcp/0'], join: tcp })
const third = await openGrid({ ...options, listen: [], join: ws })
await Promise.all([second.ready(), third.ready()])
await third.map<string>('notes').set('a', 'hello')
for await (const { value } of second.map<string>('notes').changes({ initial: true })) {
  console.log(value, relay.addresses().length)
  break
}
for (const peer of [third, second, first, relay]) await peer.close()
`

async function saysWhichNode(packed: PackedInstall, entry: string): Promise<void> {
  await writeFile(join(packed.app, 'old.mjs'), `import '${entry}'\nconsole.log('it began')\n`)
  const { code, stdout, stderr } = await packed.run(OLD_NODE, 'old.mjs')
  expect(stderr, entry).toMatch(/^Error: gossipgrid needs Node\.js 22 or newer, and this is v[\d.]+\.$/m)
  expect({ code, stdout }, entry).toEqual({ code: 1, stdout: '' })
}

const manifest = JSON.parse(await readFile(join(ROOT, 'packages/grid/package.json'), 'utf8')) as {
  readonly peerDependencies: Readonly<Record<string, string>>
}
const optional = Object.entries(manifest.peerDependencies).map(([name, range]) => `${name}@${range}`)

describe('the packages, packed by npm and installed in an empty folder', () => {
  let packed: PackedInstall

  beforeAll(async () => {
    packed = await PackedInstall.pack()
    await packed.install(SDK)
  }, LIMIT_MS)
  afterAll(() => packed?.remove())

  it.each(PUBLISHED)('%s has compiled files, a readme and the licence, and nothing else', (name) => {
    const { files } = packed.tarballs.get(name)!
    const top = ['LICENSE', 'LICENSE-APACHE', 'LICENSE-MIT', 'README.md', 'package.json']
    expect(files.filter((file) => !/^(dist|bin|pages)\//.test(file)).toSorted()).toEqual(top)
    const wanted =
      /^bin\/gossipgrid\.js$|^dist\/.*\.(js|js\.map|d\.ts)$|^dist\/LICENSES\.md$|^pages\/dist\/demo\/(.*\.(js|css|html)|LICENSES\.md)$/
    expect(files.filter((file) => !top.includes(file) && !wanted.test(file))).toEqual([])
    expect(files.filter((file) => /\.test\.|\/test-|-trial|conformance/.test(file))).toEqual([])
  })

  it.each(PUBLISHED)('%s passes publint', async (name) => {
    const bytes = await readFile(packed.tarballs.get(name)!.path)
    const tarball = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength)
    const { messages, pkg } = await publint({ pack: { tarball }, strict: true })
    expect(messages.map((message) => formatMessage(message, pkg))).toEqual([])
  })

  it.each([...SDK, 'testing', 'react', 'tanstack-db'] as const)(
    '%s has types for every way to import it',
    async (name) => {
      const tarball = createPackageFromTarballData(await readFile(packed.tarballs.get(name)!.path))
      const analysis = await checkPackage(tarball)
      if (analysis.types === false) throw new Error('there are no types')
      expect(analysis.problems.filter((problem) => IMPORTING.some((way) => affects(problem, way, analysis)))).toEqual(
        [],
      )
    },
  )

  it(`is at most ${PACKAGES_MAX} packages and ${SIZE_MAX_MEGABYTES} MB`, async () => {
    const { packages, sizeBytes } = await packed.weight()
    expect(packages).toBeLessThanOrEqual(PACKAGES_MAX)
    expect(sizeBytes).toBeLessThanOrEqual(SIZE_MAX_MEGABYTES * 1024 * 1024)
  })

  it(`is a peer of at most ${RSS_MAX_MEGABYTES} MB on Node`, async () => {
    await writeFile(join(packed.app, 'idle.mjs'), IDLE)
    const { stdout, stderr } = await packed.run(runtimeCommand('node'), 'idle.mjs')
    console.log(`a peer that holds nothing: ${stdout.trim()} MB`)
    expect(Number(stdout), stderr).toBeGreaterThan(50)
    expect(Number(stdout)).toBeLessThanOrEqual(RSS_MAX_MEGABYTES)
  })

  it.each(RUNTIMES)('peers of a private grid meet on %s, and a relay opens', async (runtime) => {
    await writeFile(join(packed.app, 'meeting.ts'), MEETING)
    const { code, stdout, stderr } = await packed.run(runtimeCommand(runtime), 'meeting.ts')
    expect(stdout, stderr).toBe('hello 1\n')
    expect(code).toBe(0)
  })

  it.each(RUNTIMES)('says hello on %s, and the process ends by itself', async (runtime) => {
    const hello = await readFile(join(ROOT, 'examples/hello.ts'), 'utf8')
    const tamed = hello.replace('openGrid({', "openGrid({ listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false,")
    await writeFile(join(packed.app, 'hello.ts'), tamed)
    const { code, stdout, stderr } = await packed.run(runtimeCommand(runtime), 'hello.ts')
    expect(stdout.replaceAll(/\s+/g, ' '), stderr).toMatch(/^\{ age: 36,? \} $/)
    expect(code).toBe(0)
  })

  it('keeps its data on disk, from one runtime to the next', async () => {
    await writeFile(join(packed.app, 'counting.ts'), COUNTING)
    for (const [i, runtime] of RUNTIMES.entries()) {
      const { stdout, stderr } = await packed.run(runtimeCommand(runtime), 'counting.ts')
      expect(stdout, stderr).toBe(`run ${i + 1}\n`)
    }
  })

  it('says where the command is to somebody who has only the SDK', async () => {
    const { code, stdout, stderr } = await packed.run(['npx', '--no-install', 'gossipgrid', '--help'])
    expect(stderr).toMatch(
      /^The gossipgrid command is in the package @gossipgrid\/cli: .*`npm install @gossipgrid\/cli`/,
    )
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  })

  it('says on an older Node which one it needs', async () => {
    for (const entry of ['gossipgrid', 'gossipgrid/relay']) await saysWhichNode(packed, entry)
  })

  it('is silent without the optional Yjs: Vite warns of nothing, and TypeScript checks the types of libraries too', async () => {
    const typeRoots = [join(ROOT, 'node_modules/@types')]
    const strict = { target: 'es2024', module: 'nodenext', strict: true, noEmit: true }
    const compilerOptions = { ...strict, types: ['node'], typeRoots }
    const program = `import { openGrid } from 'gossipgrid'
      const grid = await openGrid({ name: 'without' })
      document.title = String((await grid.doc('d')).y.guid) + grid.map('m').size\n`
    const folder = join(packed.app, 'without')
    await mkdir(folder)
    await writeFile(join(folder, 'main.ts'), program)
    await writeFile(join(folder, 'index.html'), '<!doctype html><script type="module" src="./main.ts"></script>')
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['main.ts'] }))
    expect(existsSync(join(packed.app, 'node_modules/yjs'))).toBe(false)
    const tsc = [join(ROOT, 'node_modules/.bin/tsc'), '-p', 'without'] as const
    const { code, stdout } = await packed.run(tsc)
    expect(code, stdout).toBe(0)
    const warnings: string[] = []
    const customLogger = { ...createLogger('silent'), warn: (text: string) => void warnings.push(text) }
    const chunkSizeWarningLimit = 1000
    // How long the build takes is no matter of these packages.
    const rolldownOptions = { checks: { bundlerTimings: false } }
    await build({ root: folder, customLogger, build: { target: 'es2024', chunkSizeWarningLimit, rolldownOptions } })
    expect(warnings).toEqual([])
  })

  describe('with the lab beside them', () => {
    beforeAll(() => packed.install(['testing']), LIMIT_MS)

    it.each(RUNTIMES)('runs a lab in a test on %s', async (runtime) => {
      await writeFile(join(packed.app, 'lab.test.ts'), LAB)
      const [binary] = runtimeCommand(runtime)
      const { code, stdout, stderr } = await packed.run([binary, ...TEST_COMMANDS[runtime]], './lab.test.ts')
      expect(`${stdout}${stderr}`).toMatch(/a split heals/)
      expect(code, `${stdout}${stderr}`).toBe(0)
    })
  })

  describe('with the command and the optional Yjs beside them', () => {
    beforeAll(async () => {
      await packed.install(['cli'], optional)
    }, LIMIT_MS)

    it('have types for a strict project that checks the types of its libraries too', async () => {
      const strict = { target: 'es2024', module: 'nodenext', strict: true, noEmit: true }
      const compilerOptions = { ...strict, types: ['node'], typeRoots: [join(ROOT, 'node_modules/@types')] }
      const files = ['hello.ts', 'counting.ts', 'lab.test.ts']
      await writeFile(join(packed.app, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }))
      const { code, stdout } = await packed.run([join(ROOT, 'node_modules/.bin/tsc')])
      expect(code, stdout).toBe(0)
    })

    it('are a peer in a page that Vite has built', async () => {
      const page = await BuiltPage.build(packed.app)
      onTestFinished(() => page.close())
      const server = await openGrid({ name: 'built', listen: ['/ip4/127.0.0.1/tcp/0/ws'], mdns: false })
      onTestFinished(() => server.close())
      const hellos = server.map<string>('hellos')
      await hellos.set('server', 'hello from the server')
      const browser = await Chromium.start()
      onTestFinished(() => browser.close())
      const tab = await browser.tab(page.joining(server.addresses))
      await expect.poll(() => tab.textContent('body')).toContain('hello from the server')
      await expect.poll(() => hellos.get('page')).toBe('hello from the page')
    })

    it('have a command that runs', async () => {
      const help = await packed.run(['node_modules/.bin/gossipgrid', '--help'])
      expect(help.stdout, help.stderr).toContain('Usage: gossipgrid')
      expect(packed.tarballs.get('cli')!.files).toContain('dist/demo/cluster/demo-peer.js')
      const throughTheSdk = await packed.run(
        [process.execPath],
        'node_modules/gossipgrid/bin/gossipgrid.js',
        '--version',
      )
      expect(throughTheSdk).toMatchObject({ code: 0, stdout: '0.1.0\n' })
    })

    it('have a command that says on an older Node which one it needs, in one sentence', async () => {
      await saysWhichNode(packed, 'gossipgrid/yjs')
      for (const name of ['@gossipgrid/cli', 'gossipgrid']) {
        const { code, stdout, stderr } = await packed.run(OLD_NODE, `node_modules/${name}/bin/gossipgrid.js`)
        expect(stderr, name).toMatch(/^gossipgrid needs Node\.js 22 or newer, and this is v[^\n]*PATH\.\n$/)
        expect({ code, stdout }, name).toEqual({ code: 1, stdout: '' })
      }
    })
  })
})
