/** Builds the pages that `gossipgrid demo` serves into its package, unless they are there and up to date. */
import { readdir, rename, rm, stat } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { buildPages } from './vite-options.ts'

const ROOT = new URL('../../', import.meta.url)
const TARGET = fileURLToPath(new URL('packages/cli/pages/dist/demo', ROOT))
const SOURCES = ['examples', 'packages/core/src', 'packages/storage/src', 'packages/network/src', 'packages/grid/src']

async function changedAtMs(folder: string): Promise<number> {
  const files = await readdir(new URL(folder, ROOT), { recursive: true })
  const times = files.map((file) => mtimeMs(fileURLToPath(new URL(`${folder}/${file}`, ROOT))))
  return Math.max(...(await Promise.all(times)))
}

/** 0 for a file that does not exist. */
async function mtimeMs(path: string): Promise<number> {
  try {
    return (await stat(path)).mtimeMs
  } catch {
    return 0
  }
}

const sourcesAtMs = Math.max(...(await Promise.all(SOURCES.map(changedAtMs))))
if ((await mtimeMs(`${TARGET}/index.html`)) < sourcesAtMs) {
  // Rename the whole folder into place: another process may be building too, or serving the old one.
  const made = `${TARGET}-${process.pid}`
  await buildPages(made)
  await rm(TARGET, { recursive: true, force: true })
  await rename(made, TARGET).catch(() => rm(made, { recursive: true, force: true }))
}
