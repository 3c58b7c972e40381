import { chmodSync, fsyncSync, openSync, closeSync, ftruncateSync, rmSync, writeFileSync } from 'node:fs'
import { CliError } from '../cli-error.ts'
import { destinationOf } from './destination.ts'
import type { Destination } from './destination.ts'
import { NewFile, mustBeKept } from './new-file.ts'

export interface WholeFileOptions {
  /** The mode of a new file; with `setMode` also of an existing one. */
  readonly mode: number
  readonly setMode?: boolean
  /** Waits for the disk. */
  readonly durable?: boolean
}

/**
 * Writes a small file at once, so that a crash leaves the old contents or the new. Replaces an existing file like
 * `writeTexts`. Throws `FILE` for anything but an ordinary file, else the system's error.
 */
export function writeWholeFile(name: string, contents: string | Uint8Array, options: WholeFileOptions): void {
  const destination = destinationOf(name)
  if (destination.kind === 'stream') {
    throw new CliError('FILE', `${name} is no ordinary file`, 'Name another file.')
  }
  if (destination.kind === 'kept' || !replaced(destination, contents, options))
    overwrite(destination, contents, options)
}

/** Creates a new file for its user alone. Throws the system's error, EEXIST if the file exists. */
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

/** False where the existing file cannot be replaced by one with the same properties. */
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
