import { accessSync, constants, lstatSync, readlinkSync, realpathSync, statSync } from 'node:fs'
import type { Stats } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { CliError, systemCode } from '../cli-error.ts'

const LINKS_MAX = 40
/** Names of open files of this process or another one: a new file in their place would be useless. */
const OPEN_ALREADY = /^\/(?:dev\/(?:stdin|stdout|stderr|fd\/)|proc\/)/

/** The file behind a name, before anything is written to it. */
export interface Destination {
  /** The path of the file itself: symbolic links are followed, including one to a file that does not exist yet. */
  readonly path: string
  /**
   * `new`: no file exists. `replaceable`: an ordinary file that a new one can replace. `kept`: an ordinary file that
   * must be written in place, or it would lose its owner or its other names. `stream`: a device, a FIFO, or an open
   * file.
   */
  readonly kind: 'new' | 'replaceable' | 'kept' | 'stream'
  readonly found?: Stats
}

/**
 * Finds the file behind a name. Throws `FILE` for a directory, and the system's error for a file that is not writable.
 */
export function destinationOf(name: string): Destination {
  if (OPEN_ALREADY.test(resolve(name))) return { path: name, kind: 'stream' }
  const path = followed(name)
  const found = statSync(path, { throwIfNoEntry: false })
  if (found?.isDirectory() === true || /[/\\]$/.test(name)) {
    throw new CliError('FILE', `${name} is a directory`, 'Name a file in it.')
  }
  if (found === undefined) return { path, kind: 'new' }
  accessSync(path, constants.W_OK)
  if (!found.isFile()) return { path, kind: 'stream', found }
  const replaceable = found.nlink === 1 && ownerCanBeGiven(found) && writable(dirname(path))
  return { path, kind: replaceable ? 'replaceable' : 'kept', found }
}

/** The path without symbolic links. Throws `FILE` for a cycle of them. */
export function followed(name: string): string {
  let path = resolve(name)
  for (let links = 0; links <= LINKS_MAX; links++) {
    path = join(realpathSync(dirname(path)), basename(path))
    const found = lstatSync(path, { throwIfNoEntry: false })
    if (found?.isSymbolicLink() !== true) return path
    path = resolve(dirname(path), readlinkSync(path))
  }
  throw new CliError('FILE', `${name} leads through more than ${LINKS_MAX} symbolic links`, 'Name another file.')
}

function ownerCanBeGiven({ uid }: Stats): boolean {
  const user = process.geteuid?.()
  return user === undefined || user === 0 || user === uid
}

function writable(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK)
    return true
  } catch (error) {
    if (systemCode(error) === '') throw error
    return false
  }
}
