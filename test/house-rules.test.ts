import { readFile, readdir, stat } from 'node:fs/promises'
import { basename, join, posix, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

/**
 * What lint cannot say. Imports, sizes of files and functions, and core's purity are in `.oxlintrc.json`.
 */

const root = fileURLToPath(new URL('..', import.meta.url))
const notOurs = new Set(['.git', 'node_modules', 'dist', 'coverage'])

/** Paths from the root, with slashes, of every file that is ours. */
async function filesBelow(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true })
  const lists = entries
    .filter((entry) => !notOurs.has(entry.name) && !entry.name.startsWith('.generated-'))
    .map(async (entry) => {
      const path = join(directory, entry.name)
      if (entry.isDirectory()) return filesBelow(path)
      return entry.isFile() ? [relative(root, path).replaceAll(sep, '/')] : []
    })
  return (await Promise.all(lists)).flat()
}

const files = await filesBelow(root)
const texts = files.filter((file) => /\.(ts|js|json|md|html|css|sh|yml)$|^\.ci\/|^\.[a-z]+$/.test(file))
const sources = files.filter((file) => file.endsWith('.ts'))
const isTest = (file: string): boolean => file.endsWith('.test.ts') || file.endsWith('-conformance.ts')

function read(file: string): Promise<string> {
  return readFile(join(root, file), 'utf8')
}

/** The anchors of the headings of a page, as GitHub and VitePress make them. */
function anchorsOf(text: string): Set<string> {
  const headings = text.replaceAll(/^```[\s\S]*?^```/gm, '').matchAll(/^#+ (.+)$/gm)
  const plain = (heading: string): string => heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase()
  const slug = (heading: string): string =>
    plain(heading)
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replaceAll(' ', '-')
  return new Set(Array.from(headings, ([, heading]) => slug(heading!)))
}

/** `file:line: text` for every line of `among` that matches, apart from this file, which has to name what it forbids. */
async function linesMatching(among: readonly string[], pattern: RegExp): Promise<string[]> {
  const found = among
    .filter((file) => file !== 'test/house-rules.test.ts')
    .map(async (file) => {
      const lines = (await read(file)).split('\n')
      return lines.flatMap((line, i) => (pattern.test(line) ? [`${file}:${i + 1}: ${line.trim()}`] : []))
    })
  return (await Promise.all(found)).flat()
}

const banned = ['manager', 'helper', 'util', 'data', 'info', 'process', 'handle', 'misc', 'common']

describe('names say what a thing is', () => {
  it('no file or folder is called by a word that fits everything', () => {
    const names = new Set(banned.flatMap((word) => [word, `${word}s`]))
    const parts = files.flatMap((file) => file.split('/').map((part) => ({ file, name: part.replace(/\..*$/, '') })))
    expect(parts.filter(({ name }) => names.has(name.toLowerCase())).map(({ file }) => file)).toEqual([])
  })

  it('nothing that a source file declares is called by one either', async () => {
    const words = banned.map((word) => `${word}s?`).join('|')
    const declared = new RegExp(`\\b(class|const|enum|function|interface|let|type) (${words})\\b`, 'i')
    expect(await linesMatching(sources, declared)).toEqual([])
  })

  it('an index file only re-exports', async () => {
    for (const file of sources.filter((path) => basename(path) === 'index.ts')) {
      const rest = (await read(file)).replaceAll(
        /\/\*[\s\S]*?\*\/|\/\/.*|export (type )?(\*|\{[^}]*\}) from '[^']+'/g,
        '',
      )
      expect(rest.trim(), file).toBe('')
    }
  })
})

describe('core is pure', () => {
  const core = sources.filter((file) => file.startsWith('packages/core/src/') && !isTest(file))

  it('never asks what time it is', async () => {
    expect(await linesMatching(core, /new Date\(\)|\bDate\(\)/)).toEqual([])
  })

  it('imports nothing at run time', async () => {
    expect(await linesMatching(core, /\bimport\(|\brequire\(/)).toEqual([])
  })
})

describe('text is cut into lines at line feeds alone', () => {
  it('by node:readline, which also cuts at U+2028, nothing is read but what a person types', async () => {
    const importing = await linesMatching(sources, /from '(node:)?readline/)
    expect(importing.map((line) => line.split(':')[0])).toEqual(['packages/cli/src/demo/playground.ts'])
  })
})

describe('every test runs', () => {
  it('none is skipped, left to do, or run alone', async () => {
    const partial =
      /\b(describe|it|suite|test)\.(concurrent\.)?(only|skip|skipIf|runIf|todo|fails)\b|\bx(it|test|describe)\(/
    expect(await linesMatching(sources.filter(isTest), partial)).toEqual([])
  })

  it('every test file is where a runner looks for it', () => {
    const found = /^(packages\/[a-z-]+\/src|examples|test)\//
    expect(sources.filter((file) => file.endsWith('.test.ts') && !found.test(file))).toEqual([])
  })
})

describe('the repository is fit to be published', () => {
  it('no file names a path of the machine it was written on', async () => {
    expect(await linesMatching(texts, /(^|[^\w.*/-])\/(home|root|Users|work|private)\/\w/)).toEqual([])
  })

  it('the lockfile names no registry but the public one', async () => {
    const resolved = Object.values(await lockedPackages()).flatMap((entry) => entry.resolved ?? [])
    expect(resolved.filter((from) => !/^(packages\/|packing\/|https:\/\/registry\.npmjs\.org\/)/.test(from))).toEqual(
      [],
    )
  })

  it('the lockfile has every package that another one asks for, those of other platforms too', async () => {
    const locked = await lockedPackages()
    const missing = Object.entries(locked).flatMap(([path, entry]) =>
      Object.keys({ ...entry.dependencies, ...entry.devDependencies, ...entry.optionalDependencies })
        .filter((name) => !foldersAbove(path).some((folder) => `${folder}node_modules/${name}` in locked))
        .map((name) => `${path}: ${name}`),
    )
    expect(missing).toEqual([])
    const fetched = Object.entries(locked).filter(([path, { link }]) => path.includes('node_modules/') && link !== true)
    expect(fetched.length).toBeGreaterThan(300)
    expect(fetched.filter(([, { integrity }]) => integrity === undefined).map(([path]) => path)).toEqual([])
  })

  it('no file weighs more than 256 KiB, the lockfile aside', async () => {
    const sizes = files.map(async (file) => ({ file, sizeBytes: (await stat(join(root, file))).size }))
    const heavy = (await Promise.all(sizes)).filter(({ sizeBytes }) => sizeBytes > 256 * 1024)
    expect(heavy.map(({ file }) => file).filter((file) => file !== 'package-lock.json')).toEqual([])
  })

  it('every package describes itself, with one version and one licence for all', async () => {
    const workspace = JSON.parse(await read('package.json')) as PackageFile
    for (const file of files.filter((path) => /^packages\/[a-z-]+\/package\.json$/.test(path))) {
      const described = JSON.parse(await read(file)) as PackageFile
      expect(described.description?.length, `${file}: description`).toBeGreaterThan(20)
      expect(described, file).toMatchObject({ version: workspace.version, license: workspace.license, type: 'module' })
      expect(described.engines?.['node'], `${file}: engines`).toBe('>=22')
    }
  })
})

interface LockedPackage {
  readonly resolved?: string
  readonly integrity?: string
  readonly link?: boolean
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

/** By the folder that each one is installed to. */
async function lockedPackages(): Promise<Readonly<Record<string, LockedPackage>>> {
  return (JSON.parse(await read('package-lock.json')) as { packages: Record<string, LockedPackage> }).packages
}

/** Where Node looks for `node_modules` when a file in `path` imports a package; the root is the empty one. */
function foldersAbove(path: string): string[] {
  const parts = path === '' ? [] : path.split('/')
  return ['', ...parts.map((_, i) => `${parts.slice(0, i + 1).join('/')}/`)]
}

interface PackageFile {
  readonly version: string
  readonly license: string
  readonly description?: string
  readonly engines?: Readonly<Record<string, string>>
}

describe('the documentation is complete', () => {
  it('docs/errors.md lists every error code, and no other', async () => {
    const union = /GridErrorCode =([\s\S]*?)\n\n/.exec(await read('packages/core/src/errors.ts'))?.[1] ?? ''
    const codes = [...union.matchAll(/'([A-Z_]+)'/g)].map((match) => match[1]!)
    const rows = [...(await read('docs/errors.md')).matchAll(/^\| `([A-Z_]+)` \|/gm)].map((match) => match[1]!)
    expect(codes.length).toBeGreaterThan(10)
    expect(rows.toSorted()).toEqual(codes.toSorted())
  })

  it('every relative link of a page leads somewhere', async () => {
    const dead: string[] = []
    for (const page of files.filter((file) => file.endsWith('.md'))) {
      for (const [, target] of (await read(page)).matchAll(/\]\((?!\w+:|#)([^)#\s]+)(?:#[^)]*)?\)/g)) {
        const path = join(root, page, '..', target!)
        await stat(path).catch(() => dead.push(`${page}: ${target}`))
      }
    }
    expect(dead).toEqual([])
  })

  it('docs/README.md lists every page of the documentation', async () => {
    const pages = files.filter((file) => /^docs\/[^/]+\.md$/.test(file) && file !== 'docs/README.md')
    const index = await read('docs/README.md')
    expect(pages.filter((page) => !index.includes(`](${basename(page)})`))).toEqual([])
  })

  it('every link to a heading leads to one', async () => {
    const dead: string[] = []
    for (const page of files.filter((file) => file.endsWith('.md'))) {
      for (const [, target = '', anchor] of (await read(page)).matchAll(/\]\((?!\w+:)([^)#\s]*\.md)?#([^)]+)\)/g)) {
        const aimed = target === '' ? page : posix.join(posix.dirname(page), target)
        if (!anchorsOf(await read(aimed)).has(anchor!)) dead.push(`${page}: ${target}#${anchor}`)
      }
    }
    expect(dead).toEqual([])
  })
})
