import { copyFile, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { compile } from './compile.ts'
import { publishedManifest, sourcesIn } from './published-manifest.ts'
import type { Manifest } from './published-manifest.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const LICENCES = ['LICENSE', 'LICENSE-APACHE', 'LICENSE-MIT']
/** Where the package.json of the clone lies while the published one is in its place. */
const ASIDE = 'package.json.source'

/** Compiles a package and puts the published package.json in place of its own, for npm to pack. */
export async function prepare(folder: string): Promise<void> {
  const source = join(folder, 'package.json')
  const text = await readFile(source, 'utf8')
  const manifest = JSON.parse(text) as Manifest
  await compile(folder, [...sourcesIn(manifest.exports), ...sourcesIn(manifest.imports), ...programsOf(manifest)])
  for (const licence of LICENCES) await copyFile(join(ROOT, licence), join(folder, licence))
  await writeFile(join(folder, ASIDE), text)
  await writeFile(source, `${JSON.stringify(publishedManifest(manifest), null, 2)}\n`)
}

/** Undoes what `prepare` has changed; what it has compiled stays. */
export async function restore(folder: string): Promise<void> {
  await rename(join(folder, ASIDE), join(folder, 'package.json'))
  for (const licence of LICENCES) await rm(join(folder, licence), { force: true })
}

/** A package with a command runs `src/main.ts` by it. */
function programsOf(manifest: Manifest): string[] {
  return manifest.bin === undefined ? [] : ['./src/main.ts']
}
