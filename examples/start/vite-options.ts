import { fileURLToPath } from 'node:url'
import { build } from 'vite'
import type { InlineConfig } from 'vite'

const EXAMPLES = fileURLToPath(new URL('..', import.meta.url))
/** The pages of apps whose data everyone shares. */
const PAGES: readonly string[] = [
  'index.html',
  'todo/index.html',
  'board/index.html',
  'editor/index.html',
  'expenses/index.html',
]

/** The pages of the shop, which need its server. */
export const SHOP_PAGES: readonly string[] = ['shop/index.html', 'shop/admin/index.html']

/** The Vite options for the pages of this folder. */
export const viteOptions: InlineConfig = {
  root: EXAMPLES,
  configFile: false,
  logLevel: 'warn',
  // Vite finds the imports of all pages at the start, and not while the first page is loaded.
  optimizeDeps: { entries: [...PAGES, ...SHOP_PAGES] },
}

/** Builds pages into a folder: those without a server of their own, unless others are given. */
export async function buildPages(folder: string, pages: readonly string[] = PAGES): Promise<void> {
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
        input: pages.map((page) => `${EXAMPLES}${page}`),
        // Libraries of React mark files for servers, of which there is none here.
        onLog: (level, log, show) => void (log.code === 'MODULE_LEVEL_DIRECTIVE' || show(level, log)),
      },
    },
  })
}
