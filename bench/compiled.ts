import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { WITHOUT_SPACE, WITH_REQUIRE } from '../packing/server-bundle.ts'

/** Below `node_modules`, so that compiled programs find their dependencies and git does not find them. */
const CACHE = fileURLToPath(new URL('../node_modules/.cache/gossipgrid-bench/', import.meta.url))

/** Files of the network, and of the libraries that only it imports. */
const OF_NETWORK = /\/packages\/network\/|\/node_modules\//

/**
 * Calls `use` with the path of a program that is compiled as published packages are: to JavaScript, with libp2p and all else of the
 * network inside, and other dependencies left where they are. Node needs 35 MB and most of a second to run the TypeScript sources,
 * which no application pays.
 */
export async function withCompiled<T>(program: string, use: (path: string) => Promise<T>): Promise<T> {
  await mkdir(CACHE, { recursive: true })
  const directory = await mkdtemp(CACHE)
  try {
    await build({
      entryPoints: [fileURLToPath(new URL(program, import.meta.url))],
      outdir: directory,
      outExtension: { '.js': '.mjs' },
      bundle: true,
      splitting: true,
      platform: 'node',
      format: 'esm',
      ...WITHOUT_SPACE,
      target: 'node22',
      banner: { js: WITH_REQUIRE },
      logOverride: { 'ignored-bare-import': 'silent' },
      plugins: [
        {
          name: 'other dependencies stay where they are',
          setup: ({ onResolve }) =>
            onResolve({ filter: /^[^./#]/ }, ({ kind, path, importer }) => {
              const own = kind === 'entry-point' || /^(@gossipgrid\/|gossipgrid($|\/))/.test(path)
              return own || OF_NETWORK.test(importer) ? undefined : { path, external: true }
            }),
        },
      ],
    })
    return await use(join(directory, basename(program).replace(/\.ts$/, '.mjs')))
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}
