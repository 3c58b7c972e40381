import { readFile, readdir } from 'node:fs/promises'
import { basename, join, relative, sep } from 'node:path'
import { build, transform } from 'esbuild'
import type { Metafile } from 'esbuild'

/** The packages that are published as a few large scripts: Node needs 36 kB of memory and half a millisecond for each file that it loads. */
export const BUNDLED_PACKAGES: ReadonlySet<string | undefined> = new Set([
  '@gossipgrid/core',
  '@gossipgrid/storage',
  '@gossipgrid/network',
  'gossipgrid',
])

/**
 * The package that contains its libraries. It uses a third of libp2p's 500 modules, and nothing that an application sees is a part of
 * libp2p.
 */
export const WITH_LIBRARIES = '@gossipgrid/network'

/** Some libraries are CommonJS, and load what belongs to the runtime by `require`. */
export const WITH_REQUIRE =
  "import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url);"

/** No comments and no indentation, in lines that are short enough to be shown with an error. Names stay. */
export const WITHOUT_SPACE = { minifyWhitespace: true, lineLimit: 160 } as const

/** An entry that begins with such an import needs the module to run before all others. Bundlers run packages that are imported first. */
const RUNS_FIRST = /^(?:\/\/.*\n)*(?:import|export \{\} from) '\.\/([\w-]+)\.ts'\n/

export interface ServerBundle {
  /** Text by path in `dist`. */
  readonly files: ReadonlyMap<string, string>
  /** The packages inside, by their folders. */
  readonly libraries: readonly string[]
}

/**
 * The scripts of a package for Node, Deno and Bun: one for each entry (a source file, relative to the package's folder), and some that
 * they share.
 */
export async function serverBundle(name: string, folder: string, entries: readonly string[]): Promise<ServerBundle> {
  const dist = join(folder, 'dist')
  const inputs: Record<string, string> = {}
  const files = new Map<string, string>()
  for (const entry of entries) {
    const path = entry.replace(/^\.\/src\/(.*)\.ts$/, '$1')
    const [, first] = RUNS_FIRST.exec(await readFile(join(folder, entry), 'utf8')) ?? []
    inputs[first === undefined ? path : `bundle/${path}`] = entry
    if (first === undefined) continue
    const { code } = await transform(await readFile(join(folder, `src/${first}.ts`), 'utf8'), { loader: 'ts' })
    files.set(`${first}.js`, code)
    files.set(`${path}.js`, `import './${first}.js'\nexport * from './bundle/${path}.js'\n`)
  }
  const { outputFiles, metafile } = await build({
    absWorkingDir: folder,
    entryPoints: inputs,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node22',
    outdir: dist,
    write: false,
    metafile: true,
    ...(name === WITH_LIBRARIES
      ? { external: ['@gossipgrid/*'], banner: { js: WITH_REQUIRE } }
      : { packages: 'external' as const }),
    legalComments: 'none',
    sourcemap: true,
    // Each entry imports the module that has to run first by itself.
    logOverride: { 'ignored-bare-import': 'silent' },
    logLevel: 'warning',
  })
  const texts = new Map(outputFiles.map(({ path, text }) => [relative(dist, path).split(sep).join('/'), text]))
  for (const [path, text] of texts) {
    if (!path.endsWith('.js')) continue
    const short = await withoutSpace(basename(path), withOwnClassNames(text), texts.get(`${path}.map`)!)
    files.set(path, short.code).set(`${path}.map`, short.map)
  }
  return { files, libraries: librariesOf(folder, metafile) }
}

/**
 * A script without comments and indentation, and its source map. A process keeps the text of what it has loaded, with two bytes a
 * character if a single one is not Latin: 4 MB of memory in a peer.
 */
async function withoutSpace(name: string, text: string, map: string): Promise<{ code: string; map: string }> {
  const inline = `//# sourceMappingURL=data:application/json;base64,${Buffer.from(map).toString('base64')}`
  const { code, map: shortMap } = await transform(`${text.replace(/^\/\/# sourceMappingURL=.*$/m, '')}${inline}\n`, {
    sourcefile: name,
    format: 'esm',
    target: 'node22',
    ...WITHOUT_SPACE,
    legalComments: 'none',
    sourcemap: 'external',
  })
  return { code: `${code}//# sourceMappingURL=${name}.map\n`, map: shortMap }
}

/**
 * esbuild writes `var Grid = class _Grid {…}` for a class that names itself, and users would read `_Grid` in logs and errors. Inside of
 * the class both names mean the same.
 */
export function withOwnClassNames(text: string): string {
  const named = text.matchAll(/^var (\w+) = class (_\w+)/gm)
  return [...named].reduce(
    (all, [, own, inner]) => all.replaceAll(new RegExp(`(?<![\\w$.#])${inner}\\b`, 'g'), own!),
    text,
  )
}

function librariesOf(folder: string, { inputs }: Metafile): string[] {
  const folders = Object.keys(inputs).map((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0])
  return [...new Set(folders.filter((path) => path !== undefined))].map((path) => join(folder, path)).toSorted()
}

/** The names of libraries, their licences and the texts of these, as their licences ask for. Throws if one has no licence. */
export async function licencesOf(libraries: readonly string[]): Promise<string> {
  const parts = await Promise.all(
    libraries.map(async (library) => {
      const { name, version, license } = JSON.parse(await readFile(join(library, 'package.json'), 'utf8')) as {
        readonly [field in 'name' | 'version' | 'license']?: string
      }
      if (license === undefined) throw new Error(`${library} has no licence`)
      const texts = (await readdir(library)).filter((file) => /^(licen[cs]e|notice|copying)/i.test(file)).toSorted()
      const read = await Promise.all(texts.map((file) => readFile(join(library, file), 'utf8')))
      return [`## ${name} ${version} (${license})`, ...read.map((text) => text.trim())].join('\n\n')
    }),
  )
  return `# Libraries in this package\n\n${parts.join('\n\n')}\n`
}
