import { readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Plugin } from 'esbuild'

const ED25519 = /\/@libp2p\/crypto\/dist\/src\/keys\/ed25519\/index\.browser\.js$/
const KEYS = /\/@libp2p\/crypto\/dist\/src\/keys\/ed25519\/utils\.js$/
const IMPORT = "import { ed25519 as ed } from '@noble/curves/ed25519.js';"

/** Makes a key like the browser's, in the form that libp2p uses. */
const GENERATE = `
export async function generateKey() {
  if (!(await webCryptoEd25519SupportedPromise)) return generateKeyNoble()
  const { subtle } = crypto.get()
  const { privateKey, publicKey } = await subtle.generateKey({ name: 'Ed25519' }, true, ['sign', 'verify'])
  const [secret, open] = await Promise.all([subtle.exportKey('pkcs8', privateKey), subtle.exportKey('raw', publicKey)])
  const publicRaw = new Uint8Array(open)
  return { privateKey: concatKeys(new Uint8Array(secret).slice(-KEYS_BYTE_LENGTH), publicRaw), publicKey: publicRaw }
}
`

/** Browsers make the signatures themselves; those that cannot load the code for it. Noise keeps its own curve. */
export const lazyCurve: Plugin = {
  name: 'lazy-curve',
  setup: ({ onLoad, onResolve, resolve }) => {
    onLoad({ filter: ED25519 }, async ({ path }) => {
      const text = await readFile(path, 'utf8')
      const noble = text
        .replace(IMPORT, '')
        .replace('function generateKey(', 'function generateKeyNoble(')
        .replaceAll(
          /export function (generateKeyNoble|generateKeyFromSeed|hashAndSignNoble|hashAndVerifyNoble)\(.*\) \{/g,
          (head) =>
            `${head.replace('function', 'async function')} const { ed25519: ed } = await import('gossipgrid:ed25519');`,
        )
      if (!text.includes(IMPORT) || noble.split('await import').length !== 5) throw changed(path)
      return { contents: noble + GENERATE, resolveDir: dirname(path) }
    })
    onLoad({ filter: KEYS }, async ({ path }) => {
      const text = await readFile(path, 'utf8')
      const awaiting = text.replaceAll('= crypto.generateKey', '= await crypto.generateKey')
      if (awaiting.split('await crypto.').length !== 3) throw changed(path)
      return { contents: awaiting, resolveDir: dirname(path) }
    })
    onResolve({ filter: /^gossipgrid:ed25519$/ }, ({ path, resolveDir }) => {
      return { path, namespace: 'lazy-curve', pluginData: resolveDir }
    })
    onLoad({ filter: /^gossipgrid:ed25519$/, namespace: 'lazy-curve' }, ({ pluginData }) => {
      return { contents: "export { ed25519 } from '@noble/curves/ed25519.js'", resolveDir: pluginData }
    })
    // All that it imports is a copy of its own. If it shared modules with the code that is loaded first, esbuild would put
    // them there whole, and a tab would load SHA-512 and fields that only this curve uses.
    onResolve({ filter: /./, namespace: 'lazy-curve' }, async ({ path, kind, resolveDir }) => {
      return { path: (await resolve(path, { kind, resolveDir })).path, namespace: 'lazy-curve' }
    })
    onLoad({ filter: /\.js$/, namespace: 'lazy-curve' }, async ({ path }) => {
      return { contents: await readFile(path, 'utf8'), resolveDir: dirname(path) }
    })
    // They become modules, of which only X25519 is kept.
    onResolve({ filter: /^@noble\/curves\/ed25519\.js$|^\.\/curve\.js$/ }, async (asked) => {
      const { path, importer, kind, resolveDir, pluginData } = asked
      const forNoise = /\/@libp2p\/noise\/|\/curves\/abstract\/montgomery\.js$/.test(importer)
      if (pluginData === 'resolved' || !forNoise) return undefined
      const resolved = await resolve(path, { importer, kind, resolveDir, pluginData: 'resolved' })
      return { ...resolved, suffix: '?x25519' }
    })
    onLoad({ filter: /\/@noble\/curves\/ed25519\.js$/ }, async ({ path, suffix }) => {
      const text = await readFile(path, 'utf8')
      return { contents: suffix === '' ? text : withoutEdwards(path, text), resolveDir: dirname(path) }
    })
  },
}

/** X25519 makes public keys three times as fast through the other curve. A connection needs one. */
function withoutEdwards(path: string, text: string): string {
  const fast = /scalarMultBase: \(k\) => \{[\s\S]*?\n {8}\},/
  if (!fast.test(text)) throw changed(path)
  const imports = /import \{([^}]*)\} from "\.\/abstract\/(edwards|frost|hash-to-curve|oprf|curve)\.js";/g
  const nothing = (_: string, names: string): string =>
    [...names.matchAll(/\w+/g)].map(([name]) => `function ${name}() { return ${name} }`).join('\n')
  return text.replace(fast, '').replaceAll(imports, nothing)
}

function changed(path: string): Error {
  return new Error(`${path} is another than the one that was known here: see what of it is needed`)
}
