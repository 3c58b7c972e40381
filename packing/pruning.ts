import { readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Plugin } from 'esbuild'
import { Visitor, parseSync } from 'vite'
import type { ESTree } from 'vite'

/** In place of a logger for debugging, which nobody who uses a grid knows how to switch on. */
const SILENT_LOGGER = `
export function logger() {
  const log = Object.assign(() => {}, { enabled: false, error: () => {}, trace: () => {}, newScope: () => log })
  return log
}
export const defaultLogger = () => ({ forComponent: logger })
export const prefixLogger = defaultLogger, peerLogger = defaultLogger
`

/** Nothing here is written in base256, and no tab can dial `/dnsaddr`, which names are looked up for. */
const UNUSED: readonly (readonly [filter: RegExp, contents: string])[] = [
  [/\/multiformats\/dist\/src\/bases\/base256emoji\.js$/, 'export {}'],
  [
    /\/@multiformats\/dns\/dist\/src\/index\.js$/,
    "export const RecordType = { TXT: 16 }; export function dns() { throw new Error('tabs look up no names') }",
  ],
  [/\/@libp2p\/logger\/dist\/src\/index\.js$/, SILENT_LOGGER],
]

/** Takes out of libp2p what it would log, and the third way to decode a message, which nobody calls. */
export const pruning: Plugin = {
  name: 'pruning',
  setup: ({ onLoad, onResolve }) => {
    // Two libraries that know ranges of IP addresses are one too many.
    onResolve({ filter: /^netmask$/ }, ({ path, resolveDir }) => ({
      path,
      namespace: 'pruning',
      pluginData: resolveDir,
    }))
    onLoad({ filter: /^netmask$/, namespace: 'pruning' }, ({ pluginData }) => {
      return { contents: "export { IpNet as Netmask } from '@chainsafe/netmask'", resolveDir: pluginData }
    })
    for (const [filter, contents] of UNUSED) onLoad({ filter }, () => ({ contents }))
    onLoad({ filter: /\/(@libp2p\/[\w-]+|libp2p)\/dist\/src\/.+\.js$/ }, async ({ path }) => ({
      contents: pruned(path, await readFile(path, 'utf8')),
      resolveDir: dirname(path),
    }))
  },
}

interface Span {
  readonly start: number
  readonly end: number
}

/** The text of a module without calls of `log`, and without the decoders that hand out a message field by field. */
export function pruned(name: string, text: string): string {
  const cuts: (Span & { readonly by: string })[] = []
  const cut = ({ start, end }: Span, by: string): void => {
    if (!cuts.some((other) => other.start <= start && end <= other.end)) cuts.push({ start, end, by })
  }
  const decodes = text.includes("from 'protons-runtime'")
  new Visitor({
    CallExpression: (call) => {
      if (isLogging(call)) cut(call, 'void 0')
      if (!decodes || nameOf(call.callee) !== 'message' || call.arguments.length !== 3) return
      cut({ start: call.arguments[1]!.end, end: call.arguments[2]!.end }, '')
    },
    FunctionDeclaration: (declared) => {
      if (decodes && declared.id?.name === 'stream') cut(declared, '')
    },
    ExpressionStatement: ({ expression, start, end }) => {
      if (!decodes || expression.type !== 'AssignmentExpression') return
      if (nameOf(expression.left) === 'stream' && nameOf(expression.right) === 'stream') cut({ start, end }, '')
    },
  }).visit(parseSync(name, text).program)
  let rest = text
  for (const { start, end, by } of cuts.toSorted((a, b) => b.start - a.start)) {
    rest = rest.slice(0, start) + by + rest.slice(end)
  }
  return rest
}

/** `log(...)`, `this.log(...)`, `connection.log.trace(...)` and their like. */
function isLogging({ callee }: ESTree.CallExpression): boolean {
  const name = nameOf(callee)
  if (callee.type !== 'MemberExpression') return name === 'log'
  const owner = nameOf(callee.object)
  return owner === 'log' ? name === 'error' || name === 'trace' : name === 'log' && owner !== 'Math'
}

/** The name of a variable, or of the property at the end. */
function nameOf(expression: ESTree.Node): string | undefined {
  if (expression.type === 'Identifier') return expression.name
  if (expression.type !== 'MemberExpression' || expression.property.type !== 'Identifier') return undefined
  return expression.property.name
}
