import { readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import type { Plugin } from 'esbuild'
import { minify } from 'vite'
import { lazyCurve } from './lazy-curve.ts'
import { withOneFirstLoad } from './one-first-load.ts'
import type { BundlePart } from './one-first-load.ts'
import { OPTIONAL_PEERS, withNamesLookedUp } from './optional-peers.ts'
import { plainCbor } from './plain-cbor.ts'
import { pruning } from './pruning.ts'

/** The module that an application imports, and its source: the exports of the SDK that run in a browser. */
export const BROWSER_ENTRIES: Readonly<Record<string, string>> = {
  '.': 'index',
  './yjs': 'yjs',
}

const GRID = fileURLToPath(new URL('../packages/grid/src/', import.meta.url))

/**
 * The SDK for browsers: a file for each entry, and files for the code that entries share or load on demand. It includes
 * its dependencies, so that applications need not install WebRTC's package, which installs half of React Native. Only
 * yjs stays outside, because an application must not have two copies of it.
 */
export async function browserBundle(external: readonly string[] = OPTIONAL_PEERS): Promise<BundlePart[]> {
  const { outputFiles } = await build({
    entryPoints: Object.fromEntries(Object.values(BROWSER_ENTRIES).map((name) => [name, `${GRID}${name}.ts`])),
    bundle: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2024',
    minify: true,
    splitting: true,
    write: false,
    outdir: '/',
    external: external.flatMap((name) => [name, `${name}/*`]),
    logLevel: 'error',
    plugins: BROWSER_PLUGINS,
  })
  const parts = outputFiles.map(({ path, text }) => ({ name: path.slice(1), text }))
  return Promise.all((await withOneFirstLoad(parts, Object.values(BROWSER_ENTRIES))).map(smaller))
}

/** A second minifier saves another twentieth. */
async function smaller({ name, text }: BundlePart): Promise<BundlePart> {
  const { code, errors } = await minify(name, text, {
    module: true,
    compress: { target: 'es2024' },
    mangle: { toplevel: true },
    codegen: { removeWhitespace: true },
  })
  if (errors.length > 0) throw new Error(`${name}: ${errors[0]!.message}`)
  return { name, text: withImportsKept(withNamesLookedUp(code)) }
}

/** An import whose address is known only when it runs is left as it is by the application's bundler. Without the words it would warn of it. */
function withImportsKept(text: string): string {
  return text.replaceAll(/\bimport\((?=[\w$])/g, 'import(/*@vite-ignore*//*webpackIgnore:true*/')
}

/** Parts of libp2p that no peer of a grid uses: monitoring counters, and keys other than Ed25519. */
const withoutUnused: Plugin = {
  name: 'without-unused',
  setup: ({ onLoad }) => {
    onLoad({ filter: /@libp2p\/gossipsub\/dist\/src\/metrics\.js$/ }, async ({ path }) => {
      const text = await readFile(path, 'utf8')
      const names = text.slice(0, text.indexOf('export function getMetrics'))
      return { contents: `${names}\nexport function getMetrics() {}`, resolveDir: dirname(path) }
    })
    onLoad({ filter: /@libp2p\/crypto\/dist\/src\/keys\/(rsa|ecdsa|secp256k1)\/[\w.]+\.js$/ }, async ({ path }) => {
      const text = await readFile(path, 'utf8')
      const names = [...text.matchAll(/^export (?:async )?(?:function|const|class) (\w+)/gm)].map(([, name]) => name)
      const lengths = path.includes('secp256k1/index')
        ? ['export const publicKeyLength = 33, privateKeyLength = 32']
        : []
      const refusals = names.map((name) => `export function ${name}() { throw new Error('keys here are Ed25519') }`)
      return { contents: [...lengths, ...refusals].join('\n'), resolveDir: dirname(path) }
    })
  },
}

/**
 * Both sides of a new WebRTC connection close its first channel. When the other side closes it first, libp2p waits in
 * vain for that channel to open or close, until dialling times out seconds later.
 */
const withInitChannelMended: Plugin = {
  name: 'with-init-channel-mended',
  setup: ({ onLoad }) => {
    onLoad({ filter: /@libp2p\/webrtc\/dist\/src\/private-to-private\/initiate-connection\.js$/ }, async ({ path }) => {
      const text = await readFile(path, 'utf8')
      const mended = text
        .replace("if (channel.readyState !== 'open') {", "if (channel.readyState === 'connecting') {")
        .replace(
          /channel\.close\(\);([\s\S]*?)await pEvent\(channel, 'close', \{\s*signal\s*\}\);/,
          "channel.close();$1if (channel.readyState !== 'closed') await pEvent(channel, 'close', { signal });",
        )
      if (!mended.includes("=== 'connecting'") || !mended.includes("!== 'closed'")) {
        throw new Error(`${path} is another than the one that needs mending: see whether it still does`)
      }
      return { contents: mended, resolveDir: dirname(path) }
    })
  },
}

export const BROWSER_PLUGINS: Plugin[] = [withoutUnused, withInitChannelMended, plainCbor, lazyCurve, pruning]
