import process from 'node:process'
import { setImmediate } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { nowMs } from '../peer-commands.ts'
import { keyOf, valueOf } from '../sample.ts'
import { ALL_CONTENDERS } from './contenders.ts'
import type { Copy, Load } from './contender.ts'

/** What the parent asks for, one request at a time. Each is answered by an object. */
export type ContenderRequest =
  | { readonly type: 'relay' | 'open'; readonly name: string; readonly loader: string; readonly address: string }
  /** Answers `count` writes of the other program, one by one, and remembers when it saw each. */
  | { readonly type: 'answer'; readonly prefix: string; readonly count: number }
  /** What `answer` remembered, once it has answered all. */
  | { readonly type: 'answered' }
  /** Writes `count` times, each `pauseMs` after the answer to the last. */
  | { readonly type: 'ask'; readonly prefix: string; readonly count: number; readonly pauseMs: number }
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
  /** When each write was made, or seen. */
  readonly timesMs?: readonly number[] | undefined
}

let copy: Copy
let answered: Promise<readonly number[]> | undefined
const listeners = new Set<(key: string) => void>()

async function serve(request: ContenderRequest): Promise<ContenderAnswer> {
  switch (request.type) {
    case 'relay':
    case 'open': {
      const contender = ALL_CONTENDERS.find(({ name }) => name === request.name)!
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
      answered = answer(request.prefix, request.count)
      return {}
    case 'answered':
      return { timesMs: await answered }
    case 'ask':
      return { timesMs: await ask(request.prefix, request.count, request.pauseMs) }
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

async function answer(prefix: string, count: number): Promise<readonly number[]> {
  const timesMs: number[] = []
  await counted(`${prefix}ask:`, count, (i) => {
    timesMs.push(nowMs())
    // Not every library takes a write from within its listener.
    queueMicrotask(() => copy.set(`${prefix}answer:${i}`, valueOf(i)))
  })
  return timesMs
}

async function ask(prefix: string, count: number, pauseMs: number): Promise<readonly number[]> {
  const timesMs: number[] = []
  for (let i = 0; i < count; i++) {
    const key = `${prefix}answer:${i}`
    const seen = new Promise<void>((resolve) => listenOnce((changed) => changed === key, resolve))
    timesMs.push(nowMs())
    copy.set(`${prefix}ask:${i}`, valueOf(i))
    await seen
    if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
  return timesMs
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
