import {
  chownSync,
  closeSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import type { Stats } from 'node:fs'
import { CliError, systemCode } from '../cli-error.ts'
import { followed } from '../files/destination.ts'
import { orFileError } from '../files/file-trouble.ts'

/** Only its user may read what is in it. */
const PRIVATE_MODE = 0o700
const UNFINISHED = /^\.(?:(?<place>.+)\.)?unfinished-(?<pid>\d+)$/
/** A directory of another name that was not written to for this long is of no run that still goes on, here or on another machine. */
const ABANDONED_MS = 60 * 60 * 1000

/**
 * A directory that appears whole or not at all. It is filled beside its place, under a name that says which process fills it, and
 * renamed at the end. Where an empty directory is there already, it may be a mount, or the working directory of a shell: so it
 * stays, with its mode and its owner, is filled within, and what makes it complete comes last.
 */
export class NewDirectory {
  /** Where to write meanwhile. */
  readonly path: string
  /** As the user has named it. */
  readonly #name: string
  readonly #place: string
  /** The file without which the directory is not what it is to be. */
  readonly #last: string
  /** The empty directory that was there already. */
  readonly #found: Stats | undefined
  readonly #moved: string[] = []
  readonly #removeAtExit = (): void => this.#remove()

  /**
   * Removes what killed runs have left. Throws `USAGE` without a name, and `FILE` if there is something in its place already, if
   * the directory around it is not there, or if it cannot be made.
   */
  constructor(name: string, last: string) {
    if (name === '') throw new CliError('USAGE', 'the name of the directory is empty')
    this.#name = name
    this.#last = last
    this.#place = this.#orFailed(() => behind(name))
    const found = this.#orFailed(() => statSync(this.#place, { throwIfNoEntry: false }))
    if (found?.isDirectory() === false) {
      throw new CliError('FILE', `${name} is there already, and is no directory`, ADVICE)
    }
    this.#found = found
    const around = found === undefined ? dirname(this.#place) : this.#place
    if (this.#orFailed(() => statSync(around, { throwIfNoEntry: false })) === undefined) {
      const advice = 'Make it first, if it is the right one: a disk may not be mounted, or the path may be misspelt.'
      throw new CliError('FILE', `${name} cannot be made: there is no directory ${around}`, advice)
    }
    const base = found === undefined ? basename(this.#place) : undefined
    this.path = join(around, `${base === undefined ? '' : `.${base}`}.unfinished-${process.pid}`)
    this.#orFailed(() => {
      removeUnfinished(around, base)
      if (found !== undefined) this.#checkEmpty()
      rmSync(this.path, { recursive: true, force: true })
      mkdirSync(this.path, { mode: PRIVATE_MODE })
    })
    process.once('exit', this.#removeAtExit)
  }

  /** Takes its place. Survives a power cut. Throws `FILE`, also if there is something in its place by now. */
  takePlace(): void {
    this.#orFailed(() => {
      syncDirectory(this.path)
      if (this.#found === undefined) this.#rename()
      else this.#moveIn(this.#found)
    })
    process.off('exit', this.#removeAtExit)
  }

  discard(): void {
    this.#remove()
    process.off('exit', this.#removeAtExit)
  }

  #orFailed<Result>(run: () => Result): Result {
    return orFileError(
      `${this.#name} cannot be made`,
      'Name a directory on a disk with space, where you can write.',
      run,
    )
  }

  #rename(): void {
    try {
      renameSync(this.path, this.#place)
    } catch (error) {
      if (!['ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes(systemCode(error))) throw error
      throw new CliError('FILE', `${this.#name} was made by another program meanwhile`, ADVICE, { cause: error })
    }
    syncDirectory(dirname(this.#place))
  }

  #moveIn({ uid, gid }: Stats): void {
    this.#checkEmpty(basename(this.path))
    const names = readdirSync(this.path).filter((name) => name !== this.#last)
    // Else a peer that runs as the owner of the directory could not write to files that root has made.
    const isForOther = process.geteuid?.() === 0 && uid !== 0
    for (const name of [...names, this.#last]) {
      if (isForOther) chownSync(join(this.path, name), uid, gid)
      if (name === this.#last) syncDirectory(this.#place)
      renameSync(join(this.path, name), join(this.#place, name))
      this.#moved.push(name)
    }
    this.#moved.length = 0
    rmSync(this.path, { recursive: true })
    syncDirectory(this.#place)
  }

  #remove(): void {
    for (const name of this.#moved.splice(0).toReversed()) rmSync(join(this.#place, name), { force: true })
    rmSync(this.path, { recursive: true, force: true })
  }

  #checkEmpty(own: string = ''): void {
    const isEmpty = readdirSync(this.#place).every((name) => name === own || name === 'lost+found')
    if (!isEmpty) throw new CliError('FILE', `${this.#name} is there already, and is not empty`, ADVICE)
  }
}

const ADVICE = 'Name a directory that is not there yet.'

/** The directory behind a name: where a symbolic link leads, there or not. */
function behind(name: string): string {
  const path = resolve(name)
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true ? followed(path) : path
}

/** Removes what killed runs have left in a directory: those for the same place at once, those for others when they are old. */
function removeUnfinished(directory: string, place: string | undefined): void {
  for (const name of readdirSync(directory)) {
    const groups = UNFINISHED.exec(name)?.groups
    if (groups === undefined || isRunning(Number(groups['pid']))) continue
    const path = join(directory, name)
    if (groups['place'] !== place && !isAbandoned(path)) continue
    rmSync(path, { recursive: true, force: true })
  }
}

/** False also for a directory of another user. */
function isAbandoned(path: string): boolean {
  try {
    const files = readdirSync(path).map((name) => join(path, name))
    const writtenMs = Math.max(...[path, ...files].map((file) => lstatSync(file).mtimeMs))
    return Date.now() - writtenMs > ABANDONED_MS
  } catch (error) {
    if (systemCode(error) === '') throw error
    return false
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return systemCode(error) === 'EPERM'
  }
}

function syncDirectory(path: string): void {
  // Windows opens no directories.
  if (process.platform === 'win32') return
  const descriptor = openSync(path, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}
