import process from 'node:process'
import { setImmediate } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { nowMs } from '../peer-commands.ts'
import { keyOf, valueOf } from '../sample.ts'
import { CONTENDERS } from './contenders.ts'
import type { Copy, Load } from './contender.ts'

/** What the parent asks for, one request at a time. Each is answered by an object. */
export type ContenderRequest =
  | { readonly type: 'relay' | 'open'; readonly name: string; readonly loader: string; readonly address: string }
  /** Answers a set of the other program, `count` times, one by one. Or, with `first`, makes the first and counts the answers. */
  | { readonly type: 'answer'; readonly count: number }
  | { readonly type: 'ask'; readonly count: number }
  | { readonly type: 'stream'; readonly prefix: string; readonly count: number }
  | { readonly type: 'await'; readonly prefix: string; readonly count: number }
  | { readonly type: 'size'; readonly count: number }
  | { readonly type: 'disconnect' | 'reconnect' | 'memory' }

export interface ContenderAnswer {
  readonly address?: string
  readonly error?: string
  readonly atMs?: number
  /** When a copy was opened, after its code had been loaded. */
  readonly startMs?: number
  readonly rssBytes?: number
  /** Half of each round trip. */
  readonly tookMs?: readonly number[]
}

let copy: Copy
const listeners = new Set<(key: string) => void>()

async function serve(request: ContenderRequest): Promise<ContenderAnswer> {
  switch (request.type) {
    case 'relay':
    case 'open': {
      const contender = CONTENDERS.find(({ name }) => name === request.name)!
      const installed = (await import(pathToFileURL(request.loader).href)) as { load: Load }
      const load: Load = async (name) =>
        name === 'gossipgrid' ? ((await import('gossipgrid')) as never) : installed.load(name)
      if (request.type === 'relay') return { address: await contender.relay!(load) }
      for (const module of contender.modules) await load(module)
      const startMs = nowMs()
      copy = await contender.open(load, request.address)
      copy.onChange((key) => {
        for (const listener of listeners) listener(key)
      })
      return { address: copy.address, startMs }
    }
    case 'answer':
      // Not every library takes a write from within its listener.
      void counted('ask:', request.count, (i) => queueMicrotask(() => copy.set(`answer:${i}`, valueOf(i))))
      return {}
    case 'ask': {
      const tookMs: number[] = []
      for (let i = 0; i < request.count; i++) {
        const key = `answer:${i}`
        const answered = new Promise<void>((resolve) => listenOnce((seen) => seen === key, resolve))
        const startMs = nowMs()
        copy.set(`ask:${i}`, valueOf(i))
        await answered
        tookMs.push((nowMs() - startMs) / 2)
      }
      return { tookMs }
    }
    case 'stream': {
      const atMs = nowMs()
      for (let i = 0; i < request.count; i++) {
        copy.set(keyOf(i, request.prefix), valueOf(i))
        if (i % 50 === 49) await setImmediate()
      }
      return { atMs }
    }
    case 'await':
      return { atMs: await counted(request.prefix, request.count, () => undefined) }
    case 'size':
      while (copy.size() < request.count) await new Promise((resolve) => setTimeout(resolve, 1))
      return { atMs: nowMs() }
    case 'memory':
      return { rssBytes: process.memoryUsage.rss() }
    default:
      await copy[request.type]()
      return { atMs: nowMs() }
  }
}

/** Resolves with the time when so many different keys with a prefix have changed. */
function counted(prefix: string, count: number, onSeen: (index: number) => void): Promise<number> {
  return new Promise((resolve) => {
    const seen = new Set<string>()
    listenOnce(
      (key) => {
        if (!key.startsWith(prefix) || seen.has(key)) return false
        onSeen(seen.size)
        seen.add(key)
        return seen.size === count
      },
      () => resolve(nowMs()),
    )
  })
}

function listenOnce(isLast: (key: string) => boolean, then: () => void): void {
  const listener = (key: string): void => {
    if (!isLast(key)) return
    listeners.delete(listener)
    then()
  }
  listeners.add(listener)
}

process.on('message', (request) => {
  serve(request as ContenderRequest).then(
    (answer) => process.send?.(answer),
    (error: unknown) =>
      process.send?.({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  )
})
process.on('disconnect', () => process.exit(0))
