import { spawn } from 'node:child_process'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import type { Storage, StorageOperation } from '@gossipgrid/core'
import { levelStorage } from './level.ts'

const PARTS = ['a', 'b', 'c']
const SMALL_SIZE_BYTES = 100
/** Large enough for LevelDB to start new log files and tables within a short trial. */
const LARGE_SIZE_BYTES = 40_000

/** A running `crash-trial-writer.ts`. */
export interface TrialWriter {
  readonly pid: number
  /** The number of the last acknowledged batch, -1 before the first. */
  acknowledged(): number
  /** Resolves with the first acknowledgement; rejects when the writer ends before. */
  readonly started: Promise<void>
  /** Kills it. Resolves when it is gone and all its output is read. */
  kill(): Promise<void>
}

export interface TrialWriterOptions {
  /** Makes the batch of that number the only durable one; the writer stops when it is acknowledged. */
  readonly stopAt?: number
  /** The runtime that runs the writer, with its flags; the present one by default. */
  readonly command?: readonly [binary: string, ...flags: string[]]
}

/** Starts a program that writes numbered batches into `directory` until it is killed. */
export function startTrialWriter(directory: string, options: TrialWriterOptions = {}): TrialWriter {
  const { stopAt, command = [process.execPath] } = options
  const [binary, ...flags] = command
  const program = fileURLToPath(new URL('./crash-trial-writer.ts', import.meta.url))
  const rest = stopAt === undefined ? [] : [String(stopAt)]
  const child = spawn(binary, [...flags, program, directory, ...rest], { stdio: ['ignore', 'pipe', 'pipe'] })
  let printed = ''
  let complaint = ''
  let acknowledged = -1
  const started = Promise.withResolvers<void>()
  const ended = Promise.withResolvers<void>()
  // A caller that kills the writer before its first acknowledgement does not wait for that.
  started.promise.catch(() => undefined)
  child.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString()))
  child.stdout.on('data', (chunk: Buffer) => {
    const lines = (printed + chunk.toString()).split('\n')
    printed = lines.pop() ?? ''
    for (const line of lines) acknowledged = Math.max(acknowledged, Number(line))
    if (acknowledged >= 0) started.resolve()
  })
  child.on('close', () => {
    started.reject(new Error(`The writer ended before its first acknowledgement: ${complaint}`))
    ended.resolve()
  })
  return {
    pid: child.pid ?? -1,
    acknowledged: () => acknowledged,
    started: started.promise,
    kill: () => {
      child.kill('SIGKILL')
      return ended.promise
    },
  }
}

/** The n-th batch of a trial: three blobs, one of them large now and then, and the number itself. */
export function trialBatch(n: number): StorageOperation[] {
  const blobs = PARTS.map((part): StorageOperation => ({
    type: 'put',
    key: trialKey(n, part),
    bytes: trialBytes(n, part),
  }))
  return [...blobs, { type: 'put', key: 'head', bytes: new TextEncoder().encode(String(n)) }]
}

/** The number of the last batch in a storage, -1 in a new one. */
export async function trialHead(storage: Storage): Promise<number> {
  const head = await storage.read('head')
  return head === undefined ? -1 : Number(new TextDecoder().decode(head))
}

/**
 * Opens the storage that a crash left in `directory`. Throws unless it holds a prefix of all batches, each of them
 * whole, that includes every batch up to `acknowledged`. Returns the number of the last batch in it.
 */
export async function checkSurvivors(directory: string, acknowledged: number): Promise<number> {
  const storage = await levelStorage({ directory })
  try {
    const { setAside, droppedBytes } = storage.health()
    if (setAside !== undefined) throw new Error(`The database did not open and was set aside as ${setAside}`)
    if (droppedBytes > 0) throw new Error(`The log has ${droppedBytes} unreadable bytes`)
    const head = await trialHead(storage)
    if (head < acknowledged) throw new Error(`Batch ${acknowledged} was acknowledged, but the last one is ${head}`)
    const expected = Array.from({ length: head + 1 }, (_, n) => PARTS.map((part) => trialKey(n, part))).flat()
    const found = await storage.list('n/')
    const wrong = expected.findIndex((key, i) => found[i] !== key)
    if (wrong !== -1) throw new Error(`${expected[wrong]} is missing, ${found[wrong]} is in its place; head is ${head}`)
    if (found.length > expected.length) throw new Error(`Part of a batch is there: ${found[expected.length]}`)
    for (let n = 0; n <= head; n++) for (const part of PARTS) await checkBlob(storage, n, part)
    return head
  } finally {
    await storage.close()
  }
}

async function checkBlob(storage: Storage, n: number, part: string): Promise<void> {
  const blob = await storage.read(trialKey(n, part))
  if (blob === undefined || Buffer.compare(blob, trialBytes(n, part)) !== 0) {
    throw new Error(`The content of ${trialKey(n, part)} is wrong`)
  }
}

function trialKey(n: number, part: string): string {
  return `n/${String(n).padStart(8, '0')}/${part}`
}

function trialBytes(n: number, part: string): Uint8Array {
  const sizeBytes = part === 'c' && n % 16 === 0 ? LARGE_SIZE_BYTES : SMALL_SIZE_BYTES
  return new Uint8Array(sizeBytes).fill((n * 31 + part.charCodeAt(0)) & 255)
}
