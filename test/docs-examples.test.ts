import { spawn } from 'node:child_process'
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
/** Examples of doc comments may leave out what every one of them would begin with. */
const IMPORT = "import { openGrid } from 'gossipgrid'\n"
const PRELUDE = `${IMPORT}const grid = await openGrid({ name: 'example' })
const users = grid.map<{ age: number }>('users')
setTimeout(() => void users.set('ada', { age: 36 }), 20)
setTimeout(() => grid.close(), 300)
`
// Inside the repository, so that the packages are found by name.
const directory = await mkdtemp(join(ROOT, 'examples/.generated-'))

afterAll(() => rm(directory, { recursive: true, force: true }))

interface Example {
  readonly where: string
  readonly code: string
}

async function examplesOf(file: string): Promise<Example[]> {
  const text = (await readFile(join(ROOT, file), 'utf8')).replaceAll(/^ *\* ?/gm, '')
  const blocks = [...text.matchAll(/```ts\n([\s\S]*?)```/g)]
  return blocks.map((block, i) => ({ where: `${file} ${i + 1}`, code: block[1]! }))
}

async function allExamples(): Promise<Example[]> {
  const docs = (await readdir(join(ROOT, 'docs'))).filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`)
  const sources = ['grid', 'grid-counter', 'grid-map', 'grid-presence', 'grid-set', 'grid-topic', 'open-grid'].map(
    (name) => `packages/grid/src/${name}.ts`,
  )
  const examples = await Promise.all(['README.md', ...docs, ...sources].map(examplesOf))
  const programs = (await readdir(join(ROOT, 'examples'))).filter((name) => name.endsWith('.ts'))
  const whole = programs.map(async (name) => {
    return { where: `examples/${name}`, code: await readFile(join(ROOT, 'examples', name), 'utf8') }
  })
  return [...examples.flat(), ...(await Promise.all(whole))]
}

/** On loopback, without looking for others, and with nobody there who could confirm a copy. */
function tamed({ code }: Example): string {
  const prelude = code.includes('openGrid(') ? IMPORT : PRELUDE
  const whole = code.includes('import ') ? code : prelude + code
  return whole
    .replaceAll('openGrid({', "openGrid({ listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false, ")
    .replaceAll('{ copies: 2 }', '{ copies: 1 }')
}

function run(file: string): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'pipe'], timeout: 30_000 })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.once('exit', (code) => resolve({ code, output }))
  })
}

describe('the examples of the documentation run', async () => {
  const examples = await allExamples()
  it('and there are some', () => {
    expect(examples.length).toBeGreaterThan(5)
  })
  it.concurrent.each(examples)('$where', async (example) => {
    const file = join(directory, `${example.where.replaceAll(/[^a-z0-9]+/gi, '-')}.ts`)
    await writeFile(file, tamed(example))
    const { code, output } = await run(file)
    expect(output).not.toMatch(/Error/)
    expect(code, output).toBe(0)
  })
})
