import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import { compile } from './compile.ts'
import { compiledImport, exportsOf, sourcesIn } from './published-manifest.ts'
import type { Manifest } from './published-manifest.ts'
import { WITH_LIBRARIES, licencesOf, serverBundle } from './server-bundle.ts'

/** Scripts with what they contain of libraries, the licences of these, and the declarations that applications see. */
export async function writeServerBuild(folder: string, manifest: Manifest, sources: readonly string[]): Promise<void> {
  const { name = '', imports } = manifest
  const entries = sourcesIn(exportsOf(manifest))
  const dist = join(folder, 'dist')
  await compile(folder, sources, { declarations: true })
  await resolveImports(dist, imports)
  if (name === WITH_LIBRARIES) await keepPublicDeclarations(dist, entries)
  const { files, libraries } = await serverBundle(name, folder, entries)
  for (const [path, text] of files) {
    await mkdir(dirname(join(dist, path)), { recursive: true })
    await writeFile(join(dist, path), text)
  }
  if (libraries.length > 0) await writeFile(join(dist, 'LICENSES.md'), await licencesOf(libraries))
}

/** Declarations name the file that servers use in place of a name such as `#rare`: the published package has no such names. */
async function resolveImports(dist: string, imports: Manifest['imports']): Promise<void> {
  const files = await readdir(dist, { recursive: true, withFileTypes: true })
  for (const file of files.filter(({ name }) => name.endsWith('.d.ts'))) {
    const path = join(file.parentPath, file.name)
    const text = await readFile(path, 'utf8')
    const resolved = text.replaceAll(/'(#[\w/-]+)'/g, (_, name: string) => {
      const target = join(dist, compiledImport(imports, name))
      const relativePath = relative(file.parentPath, target).split(sep).join('/')
      return `'${relativePath.startsWith('.') ? relativePath : `./${relativePath}`}'`
    })
    if (resolved !== text) await writeFile(path, resolved)
  }
}

/** Deletes declarations that no entry refers to. Throws if one that is left imports a library, which would not be installed. */
async function keepPublicDeclarations(dist: string, entries: readonly string[]): Promise<void> {
  const kept = new Set<string>()
  const keep = async (file: string): Promise<void> => {
    if (kept.has(file)) return
    kept.add(file)
    for (const [, name] of (await readFile(file, 'utf8')).matchAll(/ from '([^']+)'/g)) {
      if (name!.startsWith('.')) await keep(join(dirname(file), name!.replace(/js$/, 'd.ts')))
      else if (!name!.startsWith('@gossipgrid/'))
        throw new Error(`${file} has types of ${name}, which is not installed`)
    }
  }
  for (const entry of entries) await keep(join(dist, entry.replace('./src/', '').replace(/ts$/, 'd.ts')))
  for (const file of await readdir(dist, { recursive: true, withFileTypes: true })) {
    const path = join(file.parentPath, file.name)
    if (file.isFile() && !kept.has(path)) await rm(path)
  }
}
