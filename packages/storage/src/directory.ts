import { lstat, mkdir, open, readdir, realpath, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import process from 'node:process'
import { GridError } from '@gossipgrid/core'

const SET_ASIDE_COUNT_MAX = 100
const ROOM_SLACK_BYTES = 64 * 1024
const ROOM_FILE = 'room.probe'

/** Only its user may read a data directory: the peer's private key is in it. */
const PRIVATE_MODE = 0o700

/**
 * Makes the directory and its parents, and returns its real path. LevelDB compares paths as text when it checks whether
 * this process has the directory open already, so it must always get the same spelling.
 *
 * `mkdir` with `recursive` never returns where the system says ENOENT below an existing parent (/proc), so it is not
 * used.
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

/** ENOENT below a parent that exists means that the system allows no files in it. */
async function refusal(error: unknown, path: string): Promise<unknown> {
  const refused = error instanceof Error && 'code' in error && error.code === 'ENOENT'
  return refused ? new Error(`EACCES: ${dirname(path)} takes no new directories`, { cause: error }) : error
}

async function isDirectory(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined)
  return found?.isDirectory() === true
}

/**
 * Makes new, renamed and removed names in a directory survive a power cut. LevelDB syncs its files, but not the rename
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

/** The names of LevelDB's files, and of the probe of `checkRoom`. */
const LEVEL_FILE = /^(CURRENT|LOCK|LOG(\.old)?|MANIFEST-\d+|\d+\.(log|ldb|sst|dbtmp)|room\.probe)$/

/**
 * Throws `STORAGE_FAILED` where something in the directory has the name of a database's file and is no file. Reading a
 * pipe would wait for ever, and reading a device may never end. LevelDB treats a broken link, as when a disk is not
 * mounted, like a missing file: it would create a new database and delete the tables of the old one.
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
 * True when LevelDB's files are there, but not CURRENT, which names the valid ones. LevelDB would treat such a
 * directory as a new one and delete its tables. A first opening that was interrupted leaves no content, and does not
 * count.
 */
export async function hasLostCurrent(directory: string): Promise<boolean> {
  const names = await readdir(directory)
  if (names.includes('CURRENT')) return false
  for (const name of names) {
    if (/^\d+\.(ldb|sst|log)$/.test(name) && (await stat(join(directory, name))).size > 0) return true
  }
  return false
}

/** True when there are tables but no log. LevelDB always has a log, and opens without an error when it is gone. */
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
 * Rejects with the system's error when a database in `directory` could not be opened again and take `extraBytes` more:
 * LevelDB writes its whole log into a table when it opens. This tries it by writing, since the free space that a file
 * system reports does not include quotas.
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
