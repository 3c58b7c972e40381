import { fileURLToPath } from 'node:url'
import { build } from 'vite'
import type { InlineConfig } from 'vite'

const EXAMPLES = fileURLToPath(new URL('..', import.meta.url))
const PAGES = ['index.html', 'todo/index.html', 'board/index.html', 'editor/index.html', 'expenses/index.html']

/** The Vite options for the pages of this folder. */
export const viteOptions: InlineConfig = {
  root: EXAMPLES,
  configFile: false,
  logLevel: 'warn',
  // Vite finds the imports of all pages at the start, and not while the first page is loaded.
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
      // The licences of included code are published with the pages.
      license: { fileName: 'LICENSES.md' },
      rolldownOptions: {
        input: PAGES.map((page) => `${EXAMPLES}${page}`),
        // Libraries of React mark files for servers, of which there is none here.
        onLog: (level, log, show) => void (log.code === 'MODULE_LEVEL_DIRECTIVE' || show(level, log)),
      },
    },
  })
}
