import { fileURLToPath } from 'node:url'
import { build } from 'vite'
import type { InlineConfig } from 'vite'

const EXAMPLES = fileURLToPath(new URL('..', import.meta.url))
const PAGES = ['index.html', 'todo/index.html', 'board/index.html', 'editor/index.html']

/** How the pages of this folder are served and built. */
export const viteOptions: InlineConfig = {
  root: EXAMPLES,
  configFile: false,
  logLevel: 'warn',
  // What each page imports is found at once, and not while the first one is loaded.
  optimizeDeps: { entries: PAGES },
}

/** Builds all pages into a folder. */
export async function buildPages(folder: string): Promise<void> {
  await build({
    ...viteOptions,
    build: {
      outDir: folder,
      emptyOutDir: true,
      target: 'es2024',
      chunkSizeWarningLimit: 2000,
      // Published with the pages, which hold the code of others.
      license: { fileName: 'LICENSES.md' },
      rolldownOptions: { input: PAGES.map((page) => `${EXAMPLES}${page}`) },
    },
  })
}
