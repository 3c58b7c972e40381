import { copyFile, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { browserBundle } from './browser-bundle.ts'
import { compile } from './compile.ts'
import { BROWSER_PACKAGE, exportsOf, publishedManifest, sourcesIn, withBrowserBuild } from './published-manifest.ts'
import type { Manifest } from './published-manifest.ts'
import { BUNDLED_PACKAGES } from './server-bundle.ts'
import { writeServerBuild } from './server-build.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const LICENCES = ['LICENSE', 'LICENSE-APACHE', 'LICENSE-MIT']
/** Where the clone's package.json is while the published one is in its place. */
const ASIDE = 'package.json.source'

/** Compiles a package and replaces its package.json by the published one, for npm to pack. */
export async function prepare(folder: string): Promise<void> {
  const source = join(folder, 'package.json')
  const text = await readFile(source, 'utf8')
  const manifest = JSON.parse(text) as Manifest
  const sources = [...sourcesIn(exportsOf(manifest)), ...sourcesIn(manifest.imports), ...programsOf(manifest)]
  if (BUNDLED_PACKAGES.has(manifest.name)) await writeServerBuild(folder, manifest, sources)
  else await compile(folder, sources)
  if (manifest.name === BROWSER_PACKAGE) await writeBrowserBuild(folder)
  for (const licence of LICENCES) await copyFile(join(ROOT, licence), join(folder, licence))
  await writeFile(join(folder, ASIDE), text)
  await writeFile(source, `${JSON.stringify(withBrowserBuild(publishedManifest(manifest)), null, 2)}\n`)
}

async function writeBrowserBuild(folder: string): Promise<void> {
  for (const { name, text } of await browserBundle()) {
    const file = join(folder, 'dist/browser', name)
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, text)
  }
}

/** Undoes the changes of `prepare`, except for the compiled files. */
export async function restore(folder: string): Promise<void> {
  await rename(join(folder, ASIDE), join(folder, 'package.json'))
  for (const licence of LICENCES) await rm(join(folder, licence), { force: true })
}

/** The package has a command, which runs `src/main.ts`. The command of the SDK only looks for that one. */
function programsOf(manifest: Manifest): string[] {
  return manifest.bin === undefined || manifest.name === BROWSER_PACKAGE ? [] : ['./src/main.ts']
}
