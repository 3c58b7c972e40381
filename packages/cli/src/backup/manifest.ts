import { readFileSync, statSync } from 'node:fs'
import type { Stats } from 'node:fs'
import { join } from 'node:path'
import { CliError, systemCode } from '../cli-error.ts'
import { fileError } from '../files/file-trouble.ts'

/** The format of a backup's directory. */
const BACKUP_FORMAT = 1
export const MANIFEST = 'manifest.json'
/** One blob a line: `{"key":...,"entries":...,"bytes":...}`, the bytes as base64. */
export const BLOBS = 'blobs.ndjson'

/** What a backup holds. Written last, so that a directory without one is no backup. */
export interface Manifest {
  readonly backup: 'gossipgrid'
  readonly format: number
  /** The format of the blobs. */
  readonly storeFormat: number
  readonly grid: string
  /** The peer that it was taken of. */
  readonly peerId: string
  readonly software: string
  /** ISO 8601. */
  readonly takenAt: string
  readonly collections: readonly { readonly name: string; readonly kind: string; readonly entries: number }[]
  /** Rows in the blobs: entries and tombstones, also of the grid's own collections. */
  readonly rows: number
  readonly blobs: number
  readonly bytes: number
  /** SHA-256 of the file of blobs, hexadecimal. */
  readonly sha256: string
}

export function manifestOf(facts: Omit<Manifest, 'backup' | 'format'>): string {
  const manifest: Manifest = { backup: 'gossipgrid', format: BACKUP_FORMAT, ...facts }
  return `${JSON.stringify(manifest, undefined, 2)}\n`
}

export function manifestPath(directory: string): string {
  return join(directory, MANIFEST)
}

/** Throws `BAD_BACKUP` for a directory that holds no backup, or one whose blobs have a later format than `storeFormatMax`. */
export function readManifest(directory: string, storeFormatMax: number): Manifest {
  checkIsFile(directory, MANIFEST, 'Name the directory that gossipgrid backup made.')
  let manifest: unknown
  try {
    manifest = JSON.parse(readFileSync(manifestPath(directory), 'utf8'))
  } catch (error) {
    if (systemCode(error) !== '') throw unreadable(directory, MANIFEST, error)
    throw badBackup(directory, `has a ${MANIFEST} that is damaged`)
  }
  if (!isManifest(manifest)) throw badBackup(directory, `has a ${MANIFEST} that is none of gossipgrid`)
  if (manifest.format > BACKUP_FORMAT || manifest.storeFormat > storeFormatMax) {
    throw badBackup(directory, 'was made by a later version', 'Update gossipgrid.')
  }
  return manifest
}

/** Throws `BAD_BACKUP` if the backup lacks a file, or has something else in its place: reading a pipe would wait for ever. */
export function checkIsFile(directory: string, name: string, advice: string = ''): void {
  let found: Stats | undefined
  try {
    found = statSync(join(directory, name), { throwIfNoEntry: false })
  } catch (error) {
    throw unreadable(directory, name, error)
  }
  if (found?.isFile() === true) return
  throw badBackup(directory, found === undefined ? `has no ${name}` : `has a ${name} that is no file`, advice)
}

export function badBackup(directory: string, why: string, advice: string = ''): CliError {
  return new CliError('BAD_BACKUP', `${directory} ${why}`, advice)
}

/** The error for a file of a backup that the system does not let read. */
export function unreadable(directory: string, file: string, error: unknown): unknown {
  return fileError(`${join(directory, file)} cannot be read`, 'Check its permissions and the disk.', error)
}

function isManifest(value: unknown): value is Manifest {
  const { backup, format, storeFormat, grid, rows, blobs, bytes, sha256 } = Object(value) as Partial<Manifest>
  const counts = [format, storeFormat, rows, blobs, bytes]
  const areCounts = counts.every((count) => Number.isSafeInteger(count) && count! >= 0)
  return backup === 'gossipgrid' && typeof grid === 'string' && typeof sha256 === 'string' && areCounts
}
