import { randomBytes } from 'node:crypto'
import { closeSync, fchmodSync, fchownSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { systemCode } from '../cli-error.ts'
import type { Destination } from './destination.ts'

/** The mode of a file that does not exist yet, before the umask. */
const USUAL_MODE = 0o666
const PRIVATE_MODE = 0o600

/**
 * A temporary file with a unique name, beside the file that it will replace, with the mode and owner of that. It is
 * removed at every end of the process except SIGKILL and a power cut, unless it has replaced the other file.
 */
export class NewFile {
  readonly descriptor: number
  readonly #path: string
  readonly #target: string
  #open = true
  readonly #removeAtExit = (): void => rmSync(this.#path, { force: true })

  /** Throws the system's error; EPERM where the existing file belongs to a group that this user is not in. */
  constructor({ path, found }: Destination, mode?: number) {
    this.#target = path
    this.#path = join(dirname(path), `.gossipgrid-${randomBytes(8).toString('hex')}.part`)
    this.descriptor = openSync(this.#path, 'wx', found === undefined ? (mode ?? USUAL_MODE) : PRIVATE_MODE)
    process.once('exit', this.#removeAtExit)
    if (found === undefined || process.platform === 'win32') return
    try {
      fchownSync(this.descriptor, found.uid, found.gid)
      fchmodSync(this.descriptor, mode ?? found.mode & 0o7777)
    } catch (error) {
      this.discard()
      throw error
    }
  }

  /** Renames it to the name of the other file. A reader of that name gets all of the old file or all of the new one. */
  takePlace({ durable = true }: { readonly durable?: boolean } = {}): void {
    if (durable) fsyncSync(this.descriptor)
    this.#close()
    renameSync(this.#path, this.#target)
    process.off('exit', this.#removeAtExit)
  }

  discard(): void {
    this.#close()
    rmSync(this.#path, { force: true })
    process.off('exit', this.#removeAtExit)
  }

  #close(): void {
    if (!this.#open) return
    this.#open = false
    closeSync(this.descriptor)
  }
}

/** True where a new file cannot get the properties of the one it would replace, or cannot be created beside it. */
export function mustBeKept(error: unknown): boolean {
  return ['EPERM', 'EACCES', 'EROFS'].includes(systemCode(error))
}
