/** Builds the pages that `gossipgrid demo` serves into its package, unless they are there already and none has changed. */
import { readdir, stat } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { build } from 'vite'
import { viteOptions } from './vite-options.ts'

const ROOT = new URL('../../', import.meta.url)
const TARGET = fileURLToPath(new URL('packages/cli/pages/dist', ROOT))
const SOURCES = ['examples', 'packages/core/src', 'packages/storage/src', 'packages/network/src', 'packages/grid/src']

async function changedAtMs(folder: string): Promise<number> {
  const files = await readdir(new URL(folder, ROOT), { recursive: true })
  const times = files.map(async (file) => (await stat(new URL(`${folder}/${file}`, ROOT))).mtimeMs)
  return Math.max(...(await Promise.all(times)))
}

const builtAtMs = await stat(`${TARGET}/index.html`).then(
  ({ mtimeMs }) => mtimeMs,
  () => 0,
)
const sourcesAtMs = await Promise.all(SOURCES.map(changedAtMs))
if (builtAtMs < Math.max(...sourcesAtMs)) {
  await build({ ...viteOptions, build: { ...viteOptions.build, outDir: TARGET } })
}
