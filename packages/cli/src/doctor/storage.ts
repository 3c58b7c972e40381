import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { access, cp, mkdtemp, open, readFile, readdir, rm, stat, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { errorText, systemCode } from '../cli-error.ts'
import type { Grid } from 'gossipgrid'
import type { RunningPeer } from '../control/running-peer.ts'
import { bytesText, countOf, durationText } from '../terminal/quantities.ts'
import { failed, ok, warning } from './finding.ts'
import type { Finding } from './finding.ts'

const FREE_MIN_BYTES = 256 * 1024 * 1024
const FSYNC_SLOW_MS = 50
const FSYNC_TRIES = 5
/** A store is opened as a copy, so that nothing in it changes. A larger store than this is not copied. */
const COPY_MAX_BYTES = 256 * 1024 * 1024

/** Checks whether a peer can use a data directory, without changing its data. */
export async function checkStorage(directory: string, running: readonly RunningPeer[]): Promise<Finding[]> {
  const path = resolve(directory)
  const there = await existing(path)
  if (there === undefined) {
    return [failed('storage', `no parent of ${path} can be reached`, 'Check the path and its permissions.')]
  }
  const permission = await writable(path, there)
  if (permission.state === 'failed') return [permission]
  const findings = [permission, await freeSpace(there), await syncTime(there)]
  if (there !== path) return findings
  const user = running.find((peer) => peer.directory === path)?.pid ?? (await lockHolder(path))
  if (user !== undefined) {
    return [
      ...findings,
      warning('store', `in use by the process ${user}`, 'Only one peer at a time can use a directory.'),
    ]
  }
  return [...findings, await opens(path)]
}

/** The directory itself, or its nearest existing parent. */
async function existing(path: string): Promise<string | undefined> {
  try {
    await stat(path)
    return path
  } catch (error) {
    if (systemCode(error) !== 'ENOENT' || dirname(path) === path) return undefined
    return existing(dirname(path))
  }
}

async function writable(path: string, there: string): Promise<Finding> {
  const name = 'storage'
  if (!(await stat(there)).isDirectory()) return failed(name, `${there} is no directory`, 'Choose another --data.')
  try {
    await access(there, constants.W_OK | constants.X_OK)
    return ok(name, there === path ? `${path} can be written to` : `${path} can be made`)
  } catch {
    const who = process.getuid === undefined ? '' : ` by user ${process.getuid()}`
    return failed(
      name,
      `${there} cannot be written to${who}`,
      `Choose another --data, or: chown ${process.getuid?.() ?? 'USER'} ${there}`,
    )
  }
}

async function freeSpace(there: string): Promise<Finding> {
  const { bavail, bsize } = await statfs(there)
  const freeBytes = bavail * bsize
  const text = `${bytesText(freeBytes)} free`
  if (freeBytes >= FREE_MIN_BYTES) return ok('disk space', text)
  return warning(
    'disk space',
    text,
    'Free some: a full disk makes writes fail with STORAGE_FULL until there is room again.',
  )
}

/** The time of a synced write: every write waits for one, shared with concurrent writes. */
async function syncTime(there: string): Promise<Finding> {
  const probe = join(there, `.gossipgrid-${randomBytes(8).toString('hex')}.probe`)
  const times: number[] = []
  try {
    const file = await open(probe, 'wx')
    try {
      for (let i = 0; i < FSYNC_TRIES; i++) {
        const startMs = performance.now()
        await file.write(new Uint8Array(4096))
        await file.sync()
        times.push(performance.now() - startMs)
      }
    } finally {
      await file.close()
      await rm(probe, { force: true })
    }
  } catch (error) {
    return failed('synced write', `failed in ${there}: ${errorText(error)}`, 'Check the disk and its space.')
  }
  const median = times.toSorted((a, b) => a - b)[Math.floor(FSYNC_TRIES / 2)]!
  const text = `${median < 10 ? `${median.toFixed(1)} ms` : durationText(median)}, median of ${FSYNC_TRIES}`
  if (median <= FSYNC_SLOW_MS) return ok('synced write', text)
  return warning(
    'synced write',
    `${text}, which is slow`,
    'Each write waits for one. A disk in the machine is faster than a network file system.',
  )
}

/** The process that holds LevelDB's lock, if Linux shows it. */
async function lockHolder(path: string): Promise<string | undefined> {
  try {
    const { ino } = await stat(join(path, 'LOCK'))
    const locks = await readFile('/proc/locks', 'utf8')
    return locks
      .split('\n')
      .find((line) => line.includes(`:${ino} `))
      ?.trim()
      .split(/\s+/)[4]
  } catch {
    return undefined
  }
}

async function opens(path: string): Promise<Finding> {
  const name = 'store'
  const files = await readdir(path)
  if (!files.some((file) => file === 'CURRENT' || file.endsWith('.ldb') || file.endsWith('.log'))) {
    return files.length === 0
      ? ok(name, 'empty, as for a new peer')
      : warning(name, `${path} holds files, and no store of gossipgrid`, 'Choose a directory of its own.')
  }
  const sizes = await Promise.all(files.map(async (file) => (await stat(join(path, file))).size))
  const sizeBytes = sizes.reduce((sum, size) => sum + size, 0)
  if (sizeBytes > COPY_MAX_BYTES) {
    return warning(
      name,
      `${bytesText(sizeBytes)}, too large to be tried as a copy`,
      'A running peer tells: gossipgrid status.',
    )
  }
  // A damaged store is set aside beside itself, so the copy needs an empty directory around it.
  const room = await mkdtemp(join(tmpdir(), 'gossipgrid-doctor-'))
  const copy = join(room, 'store')
  try {
    await cp(path, copy, { recursive: true })
    return await opensCopy(name, copy, sizeBytes)
  } catch (error) {
    return failed(
      name,
      `cannot be opened: ${errorText(error).replaceAll(copy, path)}`,
      'See docs/errors.md for the code, and keep a copy of the directory.',
    )
  } finally {
    await rm(room, { recursive: true, force: true })
  }
}

/** The grid whose data is in a store that was opened under another name. Throws other errors. */
function nameIn(error: unknown): string {
  if (systemCode(error) !== 'STORAGE_OTHER_GRID') throw error
  return ((error as Error).cause as { readonly name: string }).name
}

async function opensCopy(name: string, copy: string, sizeBytes: number): Promise<Finding> {
  const { openGrid } = await import('gossipgrid')
  const lines: string[] = []
  const tell = (line: string): void => void lines.push(line.replaceAll(copy, 'the directory'))
  const logger = { debug: () => undefined, info: () => undefined, warn: tell, error: tell }
  // Without addresses the copy connects to no peer.
  const openAs = (grid: string): Promise<Grid> =>
    openGrid({ name: grid, directory: copy, listen: [], mdns: false, logger })
  const grid = await openAs('doctor').catch((error: unknown) => openAs(nameIn(error)))
  const { collections } = grid.status()
  await grid.close()
  const entries = collections.reduce((sum, collection) => sum + collection.entries, 0)
  const contents = `${countOf(entries, 'entry', 'entries')} in ${countOf(collections.length, 'collection')}, ${bytesText(sizeBytes)}`
  const damage = lines.find((line) => /damaged|unreadable|set aside|lost/.test(line))
  if (damage?.includes('set aside') === true) {
    return warning(
      name,
      'is damaged, and cannot be opened as it is',
      'A peer that is started there sets it aside and fetches everything from others. Check the disk.',
    )
  }
  if (damage === undefined) return ok(name, `opens, with ${contents}`)
  return warning(
    name,
    `opens, with ${contents}, but not all of it can be read: ${damage}`,
    'A peer fetches what is missing from others. Check the disk, and keep a copy of the directory first.',
  )
}
