import { BROWSER_ENTRIES } from './browser-bundle.ts'
import { BUNDLED_PACKAGES, WITH_LIBRARIES } from './server-bundle.ts'

/** The fields of a package.json that packing reads. */
export interface Manifest {
  readonly name?: string
  readonly exports?: Targets
  readonly imports?: Targets
  readonly bin?: Readonly<Record<string, string>>
  /** The entry points to publish, if there are others that only this repository uses. Default: all. */
  readonly publishedExports?: readonly string[]
  readonly [field: string]: unknown
}

type Targets = string | { readonly [condition: string]: Targets }

const SOURCE = /^\.\/src\/(.*)\.ts$/
/** Fields that only a clone needs. */
const SOURCE_FIELDS = new Set(['scripts', 'devDependencies', 'publishedExports'])

/** The published package.json: it points to compiled files where the one of a clone points to sources. */
export function publishedManifest(manifest: Manifest): Manifest {
  const bundled = BUNDLED_PACKAGES.has(manifest.name)
  const kept = Object.entries(manifest).filter(
    ([field]) => !SOURCE_FIELDS.has(field) && !(bundled && field === 'imports'),
  )
  return Object.fromEntries(
    kept.map(([field, content]) => [
      field,
      field === 'exports'
        ? compiled(exportsOf(manifest))
        : field === 'imports'
          ? compiled(content as Targets)
          : manifest.name === WITH_LIBRARIES && field === 'dependencies'
            ? ownPackages(content as Readonly<Record<string, string>>)
            : content,
    ]),
  )
}

/** A package with its libraries inside depends on ours alone. */
function ownPackages(dependencies: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(dependencies).filter(([name]) => name.startsWith('@gossipgrid/')))
}

/** What a published package exports: sources, as in the clone. */
export function exportsOf({ exports = {}, publishedExports }: Manifest): Targets {
  if (publishedExports === undefined || typeof exports === 'string') return exports
  return Object.fromEntries(publishedExports.map((entry) => [entry, exports[entry]!]))
}

/** The package whose browser build is packed along. */
export const BROWSER_PACKAGE = 'gossipgrid'

/** The same manifest with the browser build in front, if there is one: bundlers for browsers use that. */
export function withBrowserBuild(published: Manifest): Manifest {
  if (published.name !== BROWSER_PACKAGE || typeof published.exports !== 'object') return published
  const exports = Object.entries(published.exports).map(([entry, targets]) => {
    const name = BROWSER_ENTRIES[entry]
    if (name === undefined || typeof targets === 'string') return [entry, targets]
    const browser = { types: `./dist/${name}.d.ts`, default: `./dist/browser/${name}.js` }
    return [entry, { browser, ...targets }]
  })
  return { ...published, exports: Object.fromEntries(exports) as Targets }
}

/** Every source file that `exports` or `imports` of a manifest points to, relative to the package's folder. */
export function sourcesIn(targets: Targets | undefined): string[] {
  if (typeof targets === 'string') return SOURCE.test(targets) ? [targets] : []
  return Object.values(targets ?? {}).flatMap(sourcesIn)
}

/** The script, relative to `dist`, that stands on servers for a name in `imports`. Throws if there is none. */
export function compiledImport(imports: Targets | undefined, name: string): string {
  const target = typeof imports === 'object' ? imports[name] : undefined
  const [, path] =
    (typeof target === 'object' && typeof target['default'] === 'string' && SOURCE.exec(target['default'])) || []
  if (path === undefined) throw new Error(`${name} is not among the imports of the package`)
  return `${path}.js`
}

/** Types come first: a resolver takes the first condition that fits. */
function compiled(targets: Targets): Targets {
  if (typeof targets !== 'string') {
    return Object.fromEntries(Object.entries(targets).map(([condition, target]) => [condition, compiled(target)]))
  }
  const [, name] = SOURCE.exec(targets) ?? []
  return name === undefined ? targets : { types: `./dist/${name}.d.ts`, default: `./dist/${name}.js` }
}
