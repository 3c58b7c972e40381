import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { GridError } from '@gossipgrid/core'
import { ClassicLevel } from 'classic-level'
import { decodeBlob } from './blob.ts'
import { checkFiles, hasLostCurrent, hasLostLog, makeDirectory, setAside, syncDirectory } from './directory.ts'
import { levelFailure } from './level-error.ts'
import { tornTailBytes } from './torn-tail.ts'

/** The database as this package uses it. */
export type Level = ClassicLevel<string, Uint8Array>

/** A database that was just opened. */
export interface OpenedLevel {
  readonly level: Level
  /** The directory without symbolic links. */
  readonly directory: string
  /** Where the damaged database of the directory was moved to. */
  readonly setAside: string | undefined
  /** Bytes of the log that LevelDB could not read and skipped. */
  readonly droppedBytes: number
  /** The log file was missing. A database always has one. */
  readonly lostLog: boolean
}

/** Not ASCII, so no key of a blob collides with it and no range of them contains it. */
const FORMAT_KEY = '\u00ffformat'
const FORMAT_VERSION = 1
const FORMAT_PATTERN = /^gossipgrid (\d+)$/
/** Files of LevelDB. */
const OWN_NAME = /^(?:CURRENT|LOCK|LOG(?:\.old)?|MANIFEST-\d+|\d+\.(?:log|ldb|sst|dbtmp))$/
const UNMARKED_BLOBS_TRIED = 16

/**
 * Opens the database in `directory`; creates the directory if it does not exist. Sets a damaged database aside and
 * opens a new one: other peers have its content, and its files may help to find out what happened.
 */
export async function openLevel(directory: string, warn: (message: string) => void): Promise<OpenedLevel> {
  const path = await makeDirectory(directory)
  await checkNotForeign(path)
  await checkFiles(path)
  // Only for a warning: if the files cannot be read, opening fails with the reason.
  const tornBytes = await tornTailBytes(path).catch(() => 0)
  let aside: string | undefined
  let lostLog = false
  let level: Level
  try {
    if (await hasLostCurrent(path)) throw new Error('LEVEL_CORRUPTION: the file CURRENT is missing')
    lostLog = await hasLostLog(path)
    level = await openChecked(path)
  } catch (error) {
    if (levelFailure(error) !== 'damaged') throw error
    aside = await setAsideOrExplain(path, error)
    warn(`The database in ${path} is damaged and was set aside as ${aside}; a new one takes its place`)
    await makeDirectory(path)
    level = await openChecked(path)
  }
  if (aside === undefined && tornBytes > 0) {
    warn(`The last write to ${path} was cut off by a crash: its ${tornBytes} bytes are left out`)
  }
  const droppedBytes = await readDroppedBytes(path)
  if (droppedBytes > 0) warn(`LevelDB left out ${droppedBytes} unreadable bytes of its log in ${path}`)
  if (lostLog) warn(`The log of the database in ${path} is missing: the last writes may be lost`)
  return { level, directory: path, setAside: aside, droppedBytes, lostLog: lostLog && aside === undefined }
}

/**
 * In such a directory LevelDB would add its files to those of somebody else, and delete some: files with its names that
 * look obsolete to it.
 */
async function checkNotForeign(path: string): Promise<void> {
  const names = await readdir(path).catch((): string[] => [])
  const foreign = names.find((name) => !OWN_NAME.test(name) && !name.startsWith('.') && name !== 'lost+found')
  if (foreign === undefined || names.includes('CURRENT')) return
  throw new GridError(
    'STORAGE_FORMAT',
    `${path} holds no store of gossipgrid, and other files, such as ${JSON.stringify(foreign)}. Choose an empty directory, or one that is not there yet.`,
  )
}

async function openChecked(path: string): Promise<Level> {
  const level: Level = new ClassicLevel(path, { keyEncoding: 'utf8', valueEncoding: 'view' })
  await level.open()
  try {
    await checkFormat(level, path)
    // LevelDB opens with tables that it cannot read. Then listing the blobs would fail, now and at every later start.
    await level.keys({ fillCache: false }).all()
  } catch (error) {
    await level.close()
    throw error
  }
  return level
}

async function checkFormat(level: Level, path: string): Promise<void> {
  const marker = await level.get(FORMAT_KEY)
  if (marker === undefined) {
    const keys = await level.keys({ limit: 1 }).all()
    if (keys.length > 0) throw await unmarked(level, path)
    // Without this write, a new database whose first write is not synced does not open after a power cut: LevelDB does
    // not sync its first manifest, nor the name of CURRENT.
    await level.put(FORMAT_KEY, new TextEncoder().encode(`gossipgrid ${FORMAT_VERSION}`), { sync: true })
    await syncDirectory(path)
    return
  }
  const version = FORMAT_PATTERN.exec(new TextDecoder().decode(marker))?.[1]
  if (version === undefined) throw await unmarked(level, path)
  if (Number(version) > FORMAT_VERSION) {
    throw new GridError(
      'STORAGE_FORMAT',
      `The database in ${path} was written by a newer version of gossipgrid (format ${version}, this one knows ` +
        `${FORMAT_VERSION}). Update gossipgrid, or choose another directory.`,
    )
  }
}

/** It is another program's database, unless it has blobs with our checksums: then the mark is damaged. */
async function unmarked(level: Level, path: string): Promise<Error> {
  for await (const [key, stored] of level.iterator({ limit: UNMARKED_BLOBS_TRIED })) {
    if (isBlob(key, stored)) return new Error('LEVEL_CORRUPTION: the mark of the format is damaged')
  }
  return new GridError(
    'STORAGE_FORMAT',
    `${path} holds a database that gossipgrid did not write. Choose another directory.`,
  )
}

function isBlob(key: string, stored: Uint8Array): boolean {
  try {
    decodeBlob(key, stored)
    return true
  } catch {
    return false
  }
}

async function setAsideOrExplain(path: string, damage: unknown): Promise<string> {
  try {
    return await setAside(path)
  } catch (error) {
    throw new GridError(
      'STORAGE_DAMAGED',
      `The database in ${path} is damaged and could not be set aside. Move the directory away by hand.`,
      { cause: new AggregateError([damage, error]) },
    )
  }
}

/**
 * LevelDB skips log records with a wrong checksum. It reports that only in its own log file, which every opening
 * creates again.
 */
async function readDroppedBytes(path: string): Promise<number> {
  const diary = await readFile(join(path, 'LOG'), 'utf8').catch(() => '')
  let droppedBytes = 0
  for (const [, count] of diary.matchAll(/dropping (\d+) bytes/g)) droppedBytes += Number(count)
  return droppedBytes
}
