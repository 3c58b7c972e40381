import { fileURLToPath } from 'node:url'
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
  build: {
    target: 'es2024',
    emptyOutDir: true,
    chunkSizeWarningLimit: 2000,
    rolldownOptions: { input: PAGES.map((page) => `${EXAMPLES}${page}`) },
  },
}
