import { spawn } from 'node:child_process'
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isProgram } from './docs-programs.ts'
import { typeMistakes } from './type-mistakes.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const PROCESSES = 2
/** What TypeScript says of an option that is given twice. */
const TWICE = 1117
/** For all examples of one process together. */
const LIMIT_MS = 300_000
/** A line of its own before each example, and after it. */
const MARK = '--- example '
/** Examples of doc comments may leave out these first lines, which all of them share. */
const IMPORT = "import { openGrid } from 'gossipgrid'\n"
const PRELUDE = `${IMPORT}const grid = await openGrid({ name: 'example' })
const users = grid.map<{ age: number }>('users')
// An example may have closed the grid by then.
setTimeout(() => users.set('ada', { age: 36 }).catch(() => undefined), 20)
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
  const blocks = [...text.matchAll(/```ts\n([\s\S]*?)```/g)].map((block, i) => ({
    where: `${file} ${i + 1}`,
    code: block[1]!,
  }))
  return blocks.filter(({ code }) => !isProgram(code))
}

async function sourcesIn(folder: string): Promise<string[]> {
  const files = (await readdir(join(ROOT, folder), { recursive: true })).filter((name) => name.endsWith('.ts')).sort()
  return files.filter((name) => !name.endsWith('.test.ts')).map((name) => `${folder}/${name}`)
}

async function allExamples(): Promise<Example[]> {
  const docs = (await readdir(join(ROOT, 'docs'))).filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`)
  const sources = await Promise.all(['packages/grid/src', 'packages/testing/src/lab'].map(sourcesIn))
  const examples = await Promise.all(['README.md', ...docs, ...sources.flat()].map(examplesOf))
  const programs = (await readdir(join(ROOT, 'examples'))).filter((name) => name.endsWith('.ts'))
  const whole = programs.map(async (name) => {
    return { where: `examples/${name}`, code: await readFile(join(ROOT, 'examples', name), 'utf8') }
  })
  return [...examples.flat(), ...(await Promise.all(whole))]
}

/** On loopback, without discovery, and without a peer that could confirm a copy. A guest listens nowhere. */
function tamed({ code }: Example): string {
  const prelude = code.includes('openGrid(') ? IMPORT : PRELUDE
  const whole = code.includes('import ') ? code : prelude + code
  return whole
    .replaceAll(/openGrid\(\{(?! name: '\w+', pass\b)/g, "openGrid({ listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false, ")
    .replaceAll('{ copies: 2 }', '{ copies: 1 }')
}

/** Runs examples one after another in one process, since loading the grid takes a second. */
const RUNNER = `for (const [i, file] of process.argv.slice(2).entries()) {
  console.log('\\n${MARK}' + i)
  await import(file)
  console.log('\\n${MARK}done')
}`

interface Ran {
  /** Its output; undefined when the process ended before its turn. */
  readonly output: string | undefined
  /** It ran to its end. */
  readonly done: boolean
  /** How its process ended: 0 once every grid in it was closed. */
  readonly code: number | null
}

/** A process that runs some examples, in their order. */
function runAll(runner: string, files: readonly string[]): Promise<Ran[]> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [runner, ...files], {
      cwd: directory,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: LIMIT_MS,
    })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.once('close', (code) => {
      const parts = output.split(new RegExp(`^${MARK}\\d+$`, 'm')).slice(1)
      resolve(files.map((_, i) => ({ output: parts[i], done: parts[i]?.includes(`\n${MARK}done`) === true, code })))
    })
  })
}

describe('the examples of the documentation run', async () => {
  const examples = await allExamples()
  const ran = new Map<Example, Ran>()

  beforeAll(async () => {
    const runner = join(directory, 'runner.ts')
    await writeFile(runner, RUNNER)
    const shares: Example[][] = Array.from({ length: PROCESSES }, () => [])
    for (const [i, example] of examples.entries()) {
      await writeFile(fileOf(example), tamed(example))
      shares[i % PROCESSES]!.push(example)
    }
    await Promise.all(
      shares.map(async (share) => {
        const results = await runAll(runner, share.map(fileOf))
        for (const [i, example] of share.entries()) ran.set(example, results[i]!)
      }),
    )
  }, LIMIT_MS + 10_000)

  it('and there are some', () => {
    expect(examples.length).toBeGreaterThan(5)
  })
  it.each(examples)('$where', (example) => {
    const { output, done } = ran.get(example)!
    expect(output, 'another example ended the process before this one').toBeDefined()
    expect(output).not.toMatch(/Error/)
    expect(done, output).toBe(true)
  })
  it('have the right types', () => {
    // What is added to `openGrid` may stand there already.
    const mistakes = typeMistakes(examples.map(fileOf), [TWICE])
    expect(mistakes).toEqual([])
  })
  it('and close what they open', () => {
    expect([...ran.values()].filter(({ code }) => code !== 0)).toEqual([])
  })
})

function fileOf({ where }: Example): string {
  return join(directory, `${where.replaceAll(/[^a-z0-9]+/gi, '-')}.ts`)
}
