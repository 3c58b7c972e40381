import { mkdirSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { CliError, errorText, isSystemError, systemCode } from '../cli-error.ts'

/** What an error of the system means for a file that was to be made or written, in words. */
export function writeTrouble(error: unknown): string {
  const { path = '', syscall } = Object(error) as { readonly path?: string; readonly syscall?: string }
  if (systemCode(error) === 'EEXIST' && syscall === 'mkdir')
    return `${path} is there already, and is no directory (EEXIST)`
  // ENOENT below a directory that is there means that the system allows no files in it, as in /proc.
  if (systemCode(error) === 'ENOENT' && path !== '' && isDirectory(dirname(resolve(path)))) {
    return `${dirname(resolve(path))} takes no new files or directories (ENOENT)`
  }
  return errorText(error)
}

/** Runs what writes files. Throws `FILE` for an error of the system; `complaint` says what could not be done. */
export function orFileError<Result>(complaint: string, advice: string, run: () => Result): Result {
  try {
    return run()
  } catch (error) {
    throw fileError(complaint, advice, error, writeTrouble)
  }
}

/** An error of the system as `FILE`. Other errors, which say themselves what they mean, stay as they are. */
export function fileError(
  complaint: string,
  advice: string,
  error: unknown,
  textOf: (error: unknown) => string = errorText,
): unknown {
  if (!isSystemError(error)) return error
  return new CliError('FILE', `${complaint}: ${textOf(error)}`, advice, { cause: error })
}

/**
 * Makes a directory and its parents, if they are not there. `mkdirSync` with `recursive` never returns where the system says
 * ENOENT below an existing parent. Throws the system's error.
 */
export function makeDirectory(path: string, mode: number = 0o777): void {
  if (isDirectory(path)) return
  const parent = dirname(resolve(path))
  if (parent !== resolve(path)) makeDirectory(parent)
  try {
    mkdirSync(path, { mode })
  } catch (error) {
    // Another process may have been faster.
    if (!isDirectory(path)) throw error
  }
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch {
    return false
  }
}
