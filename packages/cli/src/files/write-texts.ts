import { closeSync, constants, fsyncSync, ftruncateSync, openSync, writeFile } from 'node:fs'
import { Socket } from 'node:net'
import { pipeline } from 'node:stream/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { CliError, systemCode } from '../cli-error.ts'
import { destinationOf } from './destination.ts'
import { writeTrouble } from './file-trouble.ts'
import type { Destination } from './destination.ts'
import { NewFile, mustBeKept } from './new-file.ts'

/** How often a FIFO without a reader is tried. */
const FIFO_RETRY_MS = 50

/**
 * Writes texts or bytes to the file behind a name. An ordinary file is replaced when all is written, by one with its mode and
 * owner. A file with several names, of another user, or in a directory that is not writable is written in place, and so is a
 * device or a FIFO. Throws `FILE`, `INTERRUPTED`, and the errors of the texts; the message says in which state the file is.
 */
export async function writeTexts(
  name: string,
  texts: AsyncIterable<string | Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  let state = 'is as it was'
  let begun = false
  const counted = async function* (): AsyncGenerator<string | Uint8Array, void, undefined> {
    for await (const text of texts) {
      state = 'is incomplete'
      begun = true
      yield text
    }
  }
  try {
    const destination = destinationOf(name)
    const { kind, found, path } = destination
    if (kind === 'new') state = 'was not made'
    if (kind === 'stream') {
      if (found?.isFIFO() === true) await pipeline(counted(), await openFifo(path, signal))
      else await writeInto(path, counted())
      return
    }
    const file = kind === 'kept' ? undefined : newFile(destination)
    if (file === undefined) await writeInto(path, counted(), { truncate: true })
    else await replace(file, texts)
  } catch (error) {
    if (signal.aborted) throw new CliError('INTERRUPTED', `interrupted; ${name} ${state}`)
    if (error instanceof CliError && !begun) throw error
    if (error instanceof CliError)
      throw CliError.fromPeer(error.code, `${error.message}; ${name} ${state}`, error.advice)
    const message = `${name} cannot be written, and ${state}: ${writeTrouble(error)}`
    throw new CliError('FILE', message, 'Check the directory and its space, or name another file.', { cause: error })
  }
}

/** Undefined where the existing file cannot be replaced by one with the same properties. */
function newFile(destination: Destination): NewFile | undefined {
  try {
    return new NewFile(destination)
  } catch (error) {
    if (destination.kind === 'new' || !mustBeKept(error)) throw error
    return undefined
  }
}

const writeAll = promisify(writeFile)

async function replace(file: NewFile, texts: AsyncIterable<string | Uint8Array>): Promise<void> {
  try {
    for await (const text of texts) await writeAll(file.descriptor, text)
    file.takePlace()
  } catch (error) {
    file.discard()
    throw error
  }
}

/** The file keeps its contents until the first text comes. */
async function writeInto(
  path: string,
  texts: AsyncIterable<string | Uint8Array>,
  { truncate = false }: { readonly truncate?: boolean } = {},
): Promise<void> {
  // Another program may write to the same stream: overwrite nothing.
  const descriptor = openSync(path, truncate ? 'r+' : constants.O_WRONLY | constants.O_APPEND)
  let begun = false
  try {
    for await (const text of texts) {
      if (truncate && !begun) ftruncateSync(descriptor)
      begun = true
      await writeAll(descriptor, text)
    }
    if (!truncate) return
    if (!begun) ftruncateSync(descriptor)
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

/** Waits for a reader, like every program that opens a FIFO, but can be interrupted. */
async function openFifo(path: string, signal: AbortSignal): Promise<Socket> {
  for (;;) {
    try {
      const descriptor = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK)
      return new Socket({ fd: descriptor, readable: false, writable: true, signal })
    } catch (error) {
      if (systemCode(error) !== 'ENXIO') throw error
    }
    await delay(FIFO_RETRY_MS, undefined, { signal })
  }
}
