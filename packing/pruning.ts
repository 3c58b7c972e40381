import { readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Plugin } from 'esbuild'
import { Visitor, parseSync } from 'vite'
import type { ESTree } from 'vite'
import { Cuts } from './cuts.ts'

/** Replaces libp2p's debug logger. Users of a grid have no way to switch it on. */
const SILENT_LOGGER = `
export function logger() {
  const log = Object.assign(() => {}, { enabled: false, error: () => {}, trace: () => {}, newScope: () => log })
  return log
}
export const defaultLogger = () => ({ forComponent: logger })
export const prefixLogger = defaultLogger, peerLogger = defaultLogger
`

/**
 * Replaces libp2p's cuckoo filter by a set, for relays and for its own addresses: a tab sees few. Other peers can
 * invent addresses without end, so a large set is cleared, and the addresses are checked again.
 */
export const SEEN_FILTER = `
export function createScalableCuckooFilter() {
  const seen = new Set()
  return {
    has: (item) => seen.has(String(item)),
    add: (item) => {
      if (seen.size >= 4096) seen.clear()
      seen.add(String(item))
      return true
    },
    remove: (item) => seen.delete(String(item)),
  }
}
`

/** Replaces a ring buffer with forty methods, of which libp2p calls four, by an array whose read front is cut off now and then. */
export const FIRST_IN_FIRST_OUT = `
export default class Queue {
  #items = []
  #first = 0
  push(item) { this.#items.push(item) }
  peekFront() { return this.#items[this.#first] }
  shift() {
    this.#first += 1
    if (this.#first * 2 < this.#items.length) return
    this.#items = this.#items.slice(this.#first)
    this.#first = 0
  }
  clear() {
    this.#items = []
    this.#first = 0
  }
}
`

/**
 * Replaces locks that reach across workers, and their queue, by one that lets a holder in at a time, in the order of asking. The
 * store of peers, the only user, holds each for a moment, and never two of one peer at once.
 */
export const LOCK = `
export default function mortice() {
  let last = Promise.resolve()
  const lock = async ({ signal } = {}) => {
    signal?.throwIfAborted()
    const before = last
    const { promise, resolve: release } = Promise.withResolvers()
    last = before.then(() => promise)
    const { promise: aborted, reject } = Promise.withResolvers()
    const abort = () => reject(signal.reason)
    signal?.addEventListener('abort', abort)
    try {
      await Promise.race([before, aborted])
    } catch (error) {
      release()
      throw error
    } finally {
      signal?.removeEventListener('abort', abort)
    }
    return release
  }
  return { readLock: lock, writeLock: lock, finalize() {} }
}
`

/** A tab listens on no IP address, so no mapped address or name leads to it. */
const noMappings = (name: string): string =>
  `export class ${name} { has() { return false } add() {} remove() { return false } getAll() { return [] } confirm() { return false } unconfirm() { return false } }`

/** Nothing here is written in base256 or looked up by its content. No tab can dial `/dnsaddr`, so names are never looked up for it. */
const UNUSED: readonly (readonly [filter: RegExp, contents: string])[] = [
  [/\/multiformats\/dist\/src\/bases\/base256emoji\.js$/, 'export {}'],
  [
    /\/@multiformats\/dns\/dist\/src\/index\.js$/,
    "export const RecordType = { TXT: 16 }; export function dns() { throw new Error('tabs look up no names') }",
  ],
  [/\/address-manager\/dns-mappings\.js$/, noMappings('DNSMappings')],
  [/\/address-manager\/ip-mappings\.js$/, noMappings('IPMappings')],
  [/\/@libp2p\/utils\/dist\/src\/filters\/index\.js$/, SEEN_FILTER],
  [/\/denque\/index\.js$/, FIRST_IN_FIRST_OUT],
  [/\/mortice\/dist\/src\/index\.js$/, LOCK],
  // Our own redialer dials lost peers again. There is no peer router, so a random walk finds no peers.
  [
    /\/libp2p\/dist\/src\/connection-manager\/reconnect-queue\.js$/,
    'export class ReconnectQueue { start() {} afterStart() {} stop() {} }',
  ],
  // No address that a tab can dial is looked up by a name.
  [
    /\/connection-manager\/resolvers\/dnsaddr\.js$/,
    'export const dnsaddrResolver = { canResolve: () => false, resolve: async () => [] }',
  ],
  // It is switched off: our own watch pings silent connections.
  [/\/libp2p\/dist\/src\/connection-monitor\.js$/, 'export class ConnectionMonitor {}'],
  [/\/libp2p\/dist\/src\/random-walk\.js$/, 'export class RandomWalk { async *walk() {} }'],
  [/\/libp2p\/dist\/src\/content-routing\.js$/, 'export class CompoundContentRouting {}'],
  [/\/@libp2p\/logger\/dist\/src\/index\.js$/, SILENT_LOGGER],
]

/**
 * Removes from libp2p its logging and counters, the third way to decode a message, which is never called, and parts
 * that no tab needs.
 */
export const pruning: Plugin = {
  name: 'pruning',
  setup: ({ onLoad, onResolve }) => {
    // One of two libraries for ranges of IP addresses is enough.
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

/**
 * The text of a module without calls of `log`, without its counters, and without the decoders that yield a message
 * field by field.
 */
export function pruned(name: string, text: string): string {
  const cuts = new Cuts()
  const decodes = text.includes("from 'protons-runtime'")
  new Visitor({
    CallExpression: (call) => {
      if (isLogging(call)) cuts.add(call, 'void 0')
      if (!decodes || nameOf(call.callee) !== 'message' || call.arguments.length !== 3) return
      cuts.add({ start: call.arguments[1]!.end, end: call.arguments[2]!.end }, '')
    },
    // A member of something that is undefined is undefined too, and nothing can be assigned to it.
    AssignmentExpression: (assignment) => {
      if (isCounts(assignment.left)) cuts.add(assignment, 'undefined')
    },
    MemberExpression: (member) => {
      if (isCounts(member) || (isCounts(member.object) && !member.optional)) cuts.add(member, 'undefined')
    },
    MethodDefinition: (method) => {
      if (nameOf(method.key) === 'onScrapeMetrics') cuts.add(method, '')
    },
    FunctionDeclaration: (declared) => {
      if (decodes && declared.id?.name === 'stream') cuts.add(declared, '')
    },
    ExpressionStatement: ({ expression, start, end }) => {
      if (!decodes || expression.type !== 'AssignmentExpression') return
      if (nameOf(expression.left) === 'stream' && nameOf(expression.right) === 'stream') cuts.add({ start, end }, '')
    },
  }).visit(parseSync(name, text).program)
  return cuts.applied(text)
}

/** `log(...)`, `this.log(...)`, `connection.log.trace(...)` and their like. */
function isLogging({ callee }: ESTree.CallExpression): boolean {
  const name = nameOf(callee)
  if (callee.type !== 'MemberExpression') return name === 'log'
  const owner = nameOf(callee.object)
  return owner === 'log' ? name === 'error' || name === 'trace' : name === 'log' && owner !== 'Math'
}

/**
 * Matches `this.metrics`, `components.metrics` and their like: libp2p's counters for monitoring, which are switched
 * off.
 */
function isCounts(expression: ESTree.Node): boolean {
  return expression.type === 'MemberExpression' && /^metrics(Register)?$/.test(nameOf(expression) ?? '')
}

/** The name of a variable, or of the property at the end. */
function nameOf(expression: ESTree.Node): string | undefined {
  if (expression.type === 'Identifier') return expression.name
  if (expression.type !== 'MemberExpression' || expression.property.type !== 'Identifier') return undefined
  return expression.property.name
}
