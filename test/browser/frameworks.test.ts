import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { svelte } from '@sveltejs/vite-plugin-svelte'
import vue from '@vitejs/plugin-vue'
import { build, preview } from 'vite'
import type { PluginOption, PreviewServer } from 'vite'
import solid from 'vite-plugin-solid'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Grid } from 'gossipgrid'
import type { Page } from 'playwright-core'
import { Chromium } from './browser-rig.ts'

/** The recipes for frameworks as the pages print them: each is built, and all of them share one grid. */

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const FILE = /```(?:tsx?|svelte|vue)\n(?:\/\/ |<!-- )([\w.-]+)(?: -->)?\n([\s\S]*?)```/g
const LINES_MAX = 15

/** A program that mounts the recipe; the page around it is the same for all. */
const PAGES: Readonly<Record<string, { readonly pages: readonly string[]; readonly main: string }>> = {
  svelte: {
    pages: ['docs/frameworks.md'],
    main: `import { mount } from 'svelte'
      import Todos from './Todos.svelte'
      mount(Todos, { target: document.body })`,
  },
  vue: {
    pages: ['docs/frameworks.md'],
    main: `import { Suspense, createApp, h } from 'vue'
      import Todos from './Todos.vue'
      createApp({ render: () => h(Suspense, () => h(Todos)) }).mount('main')`,
  },
  solid: {
    pages: ['docs/frameworks.md'],
    main: `import { render } from 'solid-js/web'
      import { Todos } from './Todos.tsx'
      import { opening } from './grid'
      const todos = (await opening).map('todos')
      render(() => Todos({ todos }), document.body)`,
  },
  react: {
    pages: ['docs/frameworks.md', 'docs/react.md'],
    main: `import { StrictMode, createElement } from 'react'
      import { createRoot } from 'react-dom/client'
      import { Todos } from './Todos.tsx'
      createRoot(document.querySelector('main')).render(createElement(StrictMode, {}, createElement(Todos)))`,
  },
}
const NAMES = Object.keys(PAGES)

let folder: string
let server: PreviewServer
let browser: Chromium

async function filesOf(page: string): Promise<Map<string, string>> {
  const text = await readFile(join(ROOT, page), 'utf8')
  return new Map(Array.from(text.matchAll(FILE), ([, name, code]) => [name!, code!]))
}

async function writeSources(name: string): Promise<string> {
  const { pages, main } = PAGES[name]!
  const sources = join(folder, name)
  await mkdir(sources)
  for (const page of pages) for (const [file, code] of await filesOf(page)) await writeFile(join(sources, file), code)
  const html = '<!doctype html><title>todos</title><main></main><script type="module" src="./main.ts"></script>'
  await writeFile(
    join(sources, 'main.ts'),
    `${main}\nimport('./grid').then((module) => Object.assign(globalThis, module))`,
  )
  await writeFile(join(sources, 'index.html'), html)
  return join(sources, 'index.html')
}

beforeAll(async () => {
  folder = await mkdtemp(join(ROOT, 'examples/.generated-'))
  const input = await Promise.all(NAMES.map(writeSources))
  const plugins: PluginOption[] = [svelte({ configFile: false }), vue(), solid({ include: ['**/solid/**'] })]
  // Strict mode mounts twice in development only.
  const define = { 'process.env.NODE_ENV': JSON.stringify('development') }
  const shared = { root: folder, configFile: false, logLevel: 'warn' } as const
  await build({ ...shared, plugins, define, build: { target: 'es2024', rolldownOptions: { input } } })
  server = await preview({ ...shared, preview: { host: '127.0.0.1', port: 0 } })
  browser = await Chromium.start()
})
afterAll(async () => {
  await browser?.close()
  await server?.close()
  await rm(folder, { recursive: true, force: true })
})

it('Svelte, Vue, Solid, and React in strict mode with suspense show one map, each in its own tab', async () => {
  const errors: string[] = []
  const tabs: Page[] = []
  for (const name of NAMES) {
    const tab = await browser.context.newPage()
    tab.on('pageerror', (error) => errors.push(`${name}: ${error.message}`))
    await tab.goto(`${server.resolvedUrls!.local[0]}${name}/`)
    await tab.waitForFunction(() => 'opening' in globalThis)
    tabs.push(tab)
  }
  const shown = (): Promise<string[]> =>
    Promise.all(tabs.map((tab) => tab.locator('li').allTextContents().then(String)))
  for (const [i, tab] of tabs.entries()) {
    await tab.evaluate(async (n) => {
      const { opening } = globalThis as unknown as { opening: Promise<Grid> }
      await (await opening).map('todos').set(`${n}`, { text: `todo ${n}` })
    }, i)
  }
  const all = 'todo 0 Done,todo 1 Done,todo 2 Done,todo 3 Done'
  await expect.poll(shown).toEqual(NAMES.map(() => all))
  for (const tab of tabs) await tab.getByRole('button').first().click()
  await expect.poll(shown).toEqual(NAMES.map(() => ''))
  expect(errors).toEqual([])
})

/** The strict settings of this repository, with what a project with Vite has in them. */
const OF_VITE = {
  ...{ module: 'esnext', moduleResolution: 'bundler', rewriteRelativeImportExtensions: false },
  ...{ isolatedDeclarations: false, declaration: false, allowImportingTsExtensions: true },
}

/** What finds mistakes of types in a component, and the files that it looks at. */
const CHECKERS = [
  {
    name: 'svelte',
    bin: 'svelte-check/bin/svelte-check',
    flag: '--tsconfig',
    files: ['*.svelte', 'shown.ts', 'grid.ts'],
  },
  { name: 'vue', bin: 'vue-tsc/bin/vue-tsc.js', flag: '--project', files: ['*.vue', 'use-shown.ts', 'grid.ts'] },
] as const

it.each(CHECKERS)(
  'the recipe for $name has no mistake of types in strict settings',
  async (checker) => {
    const { name, bin, flag, files } = checker
    const config = join(folder, name, 'tsconfig.json')
    const settings = { extends: join(ROOT, 'tsconfig.json'), compilerOptions: OF_VITE, include: files, exclude: [] }
    await writeFile(config, JSON.stringify(settings))
    const args = [join(ROOT, 'node_modules', bin), flag, config]
    const ran = await promisify(execFile)(process.execPath, args, { cwd: join(folder, name) }).catch(
      (error: { readonly stdout: string }) => error,
    )
    expect(ran.stdout).toMatch(name === 'svelte' ? /found 0 errors and 0 warnings/ : /^$/)
  },
  300_000,
)

it(`no recipe is longer than ${LINES_MAX} lines`, async () => {
  const files = [...(await filesOf('docs/frameworks.md'))].filter(([name]) => !name.startsWith('server'))
  expect(files.map(([name]) => name)).toEqual([
    ...['grid.ts', 'shown.ts', 'Todos.svelte', 'TodoList.svelte', 'use-shown.ts', 'Todos.vue', 'shown-signal.ts'],
    'Todos.tsx',
  ])
  const long = files.filter(([, code]) => code.trimEnd().split('\n').length > LINES_MAX)
  expect(long.map(([name]) => name)).toEqual([])
})
