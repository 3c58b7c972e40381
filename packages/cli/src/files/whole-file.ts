import { chmodSync, fsyncSync, openSync, closeSync, ftruncateSync, rmSync, writeFileSync } from 'node:fs'
import { CliError } from '../cli-error.ts'
import { destinationOf } from './destination.ts'
import type { Destination } from './destination.ts'
import { NewFile, mustBeKept } from './new-file.ts'

export interface WholeFileOptions {
  /** Of a file that is not there yet; with `setMode` also of one that is. */
  readonly mode: number
  readonly setMode?: boolean
  /** Waits for the disk. */
  readonly durable?: boolean
}

/**
 * Writes a small file in one piece, so that a crash leaves the old contents or the new. What is there is replaced as
 * `writeTexts` replaces it. Throws `FILE` for what is no ordinary file, else the system's error.
 */
export function writeWholeFile(name: string, contents: string | Uint8Array, options: WholeFileOptions): void {
  const destination = destinationOf(name)
  if (destination.kind === 'stream') {
    throw new CliError('FILE', `${name} is no ordinary file`, 'Name another file.')
  }
  if (destination.kind === 'kept' || !replaced(destination, contents, options))
    overwrite(destination, contents, options)
}

/** Writes a file that is not there yet, for its user alone. Throws the system's error, EEXIST if there is one. */
export function writePrivateFile(name: string, contents: string | Uint8Array): void {
  const descriptor = openSync(name, 'wx', 0o600)
  try {
    writeFileSync(descriptor, contents)
    fsyncSync(descriptor)
  } catch (error) {
    rmSync(name, { force: true })
    throw error
  } finally {
    closeSync(descriptor)
  }
}

/** False where the file that is there cannot be replaced by one that is like it. */
function replaced(destination: Destination, contents: string | Uint8Array, options: WholeFileOptions): boolean {
  const { mode, setMode = false, durable = false } = options
  let file: NewFile
  try {
    file = new NewFile(destination, destination.kind === 'new' || setMode ? mode : undefined)
  } catch (error) {
    if (destination.kind === 'new' || !mustBeKept(error)) throw error
    return false
  }
  try {
    writeFileSync(file.descriptor, contents)
    file.takePlace({ durable })
    return true
  } catch (error) {
    file.discard()
    throw error
  }
}

function overwrite({ path }: Destination, contents: string | Uint8Array, options: WholeFileOptions): void {
  const { mode, setMode = false, durable = false } = options
  const descriptor = openSync(path, 'r+')
  try {
    if (setMode) chmodSync(path, mode)
    ftruncateSync(descriptor)
    writeFileSync(descriptor, contents)
    if (durable) fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}
