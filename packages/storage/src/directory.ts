import { lstat, mkdir, open, readdir, realpath, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import process from 'node:process'
import { GridError } from '@gossipgrid/core'

const SET_ASIDE_COUNT_MAX = 100
const ROOM_SLACK_BYTES = 64 * 1024
const ROOM_FILE = 'room.probe'

/** A data directory is its user's alone: the peer's private key lies in it. */
const PRIVATE_MODE = 0o700

/**
 * Makes the directory and its parents, and returns its one true path: LevelDB compares paths as text when it guards a
 * directory against a second opening in the same process, so two spellings must not reach it.
 *
 * Not `mkdir` with `recursive`, which never comes back where the system says ENOENT for a parent that is there (/proc).
 */
export async function makeDirectory(directory: string, mode: number = PRIVATE_MODE): Promise<string> {
  const path = resolve(directory)
  if (!(await isDirectory(path))) {
    if (dirname(path) !== path) await makeDirectory(dirname(path), 0o777)
    try {
      await mkdir(path, { mode })
      await syncDirectory(dirname(path))
    } catch (error) {
      // Another opener may have been faster.
      if (!(await isDirectory(path))) throw await refusal(error, path)
    }
  }
  return await realpath(path)
}

/** ENOENT below a parent that is there means that the system does not let anyone create files in it. */
async function refusal(error: unknown, path: string): Promise<unknown> {
  const refused = error instanceof Error && 'code' in error && error.code === 'ENOENT'
  return refused ? new Error(`EACCES: ${dirname(path)} takes no new directories`, { cause: error }) : error
}

async function isDirectory(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined)
  return found?.isDirectory() === true
}

/**
 * Makes new, renamed and removed names in a directory survive a power cut. LevelDB syncs its files but not the rename
 * of its CURRENT file. Windows cannot open directories, and does not need it.
 */
export async function syncDirectory(directory: string): Promise<void> {
  if (process.platform === 'win32') return
  const opened = await open(directory, 'r')
  try {
    await opened.sync()
  } finally {
    await opened.close()
  }
}

/** What LevelDB calls its files, and the probe of `checkRoom`. */
const LEVEL_FILE = /^(CURRENT|LOCK|LOG(\.old)?|MANIFEST-\d+|\d+\.(log|ldb|sst|dbtmp)|room\.probe)$/

/**
 * Throws `STORAGE_FAILED` where something in the directory has the name of a database's file and is no file. Reading a pipe
 * would wait for ever, and reading a device need not end; and LevelDB takes a link to nothing, as when a disk is not mounted,
 * for a file that is not there yet: it would begin a new database and delete the tables of the old one.
 */
export async function checkFiles(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (!LEVEL_FILE.test(name)) continue
    const path = join(directory, name)
    const found = await stat(path).catch(() => undefined)
    // Another opener may have removed it meanwhile.
    if (found?.isFile() === true || (await lstat(path).catch(() => undefined)) === undefined) continue
    throw new GridError(
      'STORAGE_FAILED',
      `${path} is no file, or a link to none. Put the file back in its place, or choose another directory.`,
    )
  }
}

/**
 * True when LevelDB's files are there but CURRENT, which names the valid ones, is not. LevelDB would take such a
 * directory for a new one and delete the tables in it. A first opening that was cut short leaves no content behind and
 * does not count.
 */
export async function hasLostCurrent(directory: string): Promise<boolean> {
  const names = await readdir(directory)
  if (names.includes('CURRENT')) return false
  for (const name of names) {
    if (/^\d+\.(ldb|sst|log)$/.test(name) && (await stat(join(directory, name))).size > 0) return true
  }
  return false
}

/** True when there are tables but no log: LevelDB has one at any time, and opens without a word when it is gone. */
export async function hasLostLog(directory: string): Promise<boolean> {
  const names = await readdir(directory)
  return names.some((name) => /^\d+\.(ldb|sst)$/.test(name)) && !names.some((name) => /^\d+\.log$/.test(name))
}

/** Renames the directory to the first free `<directory>.damaged-<n>`, which it returns. */
export async function setAside(directory: string): Promise<string> {
  for (let n = 1; n <= SET_ASIDE_COUNT_MAX; n++) {
    const target = `${directory}.damaged-${n}`
    if ((await stat(target).catch(() => undefined)) !== undefined) continue
    await rename(directory, target)
    await syncDirectory(dirname(directory))
    return target
  }
  throw new Error(`${SET_ASIDE_COUNT_MAX} damaged databases lie beside ${directory}: remove those you do not need`)
}

/**
 * Rejects with the system's error when a database in `directory` could not be reopened and take `extraBytes` more:
 * LevelDB writes its whole log into a table when it opens. The room is tried by writing, since quotas do not show in
 * what the file system reports as free.
 */
export async function checkRoom(directory: string, extraBytes: number): Promise<void> {
  const path = join(directory, ROOM_FILE)
  let neededBytes = ROOM_SLACK_BYTES + extraBytes
  for (const name of await readdir(directory)) {
    if (name.endsWith('.log')) neededBytes += (await stat(join(directory, name))).size
  }
  try {
    await writeFile(path, new Uint8Array(neededBytes))
  } finally {
    await rm(path, { force: true })
  }
}
