import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { Command } from 'commander'
import { CliError } from '../cli-error.ts'
import { clientCommand, examples } from '../commands/options.ts'
import type { ClientOptions } from '../commands/options.ts'
import type { BackupLine, BackupStart, CollectionsAnswer } from '../control/control-api.ts'
import { ControlClient } from '../control/control-client.ts'
import { fileError } from '../files/file-trouble.ts'
import { writePrivateFile } from '../files/whole-file.ts'
import { interruption, note, printJson } from '../terminal/output.ts'
import { progressBar } from '../terminal/progress.ts'
import type { Progress } from '../terminal/progress.ts'
import { bytesText, countOf, durationText } from '../terminal/quantities.ts'
import { BLOBS, MANIFEST, manifestOf, manifestPath } from './manifest.ts'
import { NewDirectory } from './new-directory.ts'

/** Purges and drops come about once a day. */
const TRIES_MAX = 3

interface Copied {
  readonly start: BackupStart
  readonly rows: number
  readonly blobs: number
  readonly bytes: number
  readonly sha256: string
  readonly isSound: boolean
}

/** `gossipgrid backup`. */
export function backupCommand(): Command {
  const command = new Command('backup')
    .description('Write a copy of the whole grid, as a running peer has it, to a new directory')
    .argument('<directory>', 'the directory to make')
    .action(runBackup)
  return examples(clientCommand(command), [
    ['gossipgrid backup shop-2026-11-30', 'every collection, documents and deletes included'],
    ['gossipgrid restore shop-2026-11-30 --data ./shop', 'make a data directory from it'],
  ])
}

async function runBackup(directory: string, options: ClientOptions): Promise<void> {
  const startMs = performance.now()
  const client = await ControlClient.of(options)
  const signal = interruption()
  const progress = await progressBar('rows')
  let place: NewDirectory | undefined
  try {
    place = new NewDirectory(directory, MANIFEST)
    const { collections } = await client.call<CollectionsAnswer>('/v1/collections', { signal })
    const copied = await copyWhole(client, join(place.path, BLOBS), progress, signal)
    const { isSound: _, start, ...sums } = copied
    const { entries: __, ...origin } = start
    const listed = collections.map(({ name, kind, entries }) => ({ name, kind, entries }))
    const takenAt = new Date().toISOString()
    writePrivateFile(manifestPath(place.path), manifestOf({ ...origin, takenAt, collections: listed, ...sums }))
    place.takePlace()
    const tookMs = Math.round(performance.now() - startMs)
    progress.stop()
    if (options.json === true) return printJson({ directory, ...sums, tookMs })
    note(`${countOf(sums.rows, 'row')}, ${bytesText(sums.bytes)}, in ${durationText(tookMs)}, in ${directory}`)
  } catch (error) {
    place?.discard()
    if (signal.aborted) throw new CliError('INTERRUPTED', 'interrupted: nothing was written')
    throw fileError(`the backup in ${directory} cannot be written`, 'Check the disk and its space.', error)
  } finally {
    progress.stop()
    client.close()
  }
}

async function copyWhole(
  client: ControlClient,
  path: string,
  progress: Progress,
  signal: AbortSignal,
): Promise<Copied> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const copied = await copy(client, path, progress, signal)
    if (copied.isSound) return copied
  }
  throw new CliError('FILE', 'deletes were purged or collections dropped during each try', 'Try again later.')
}

async function copy(client: ControlClient, path: string, progress: Progress, signal: AbortSignal): Promise<Copied> {
  const file = await open(path, 'w', 0o600)
  try {
    const copied = await copyLines(client, file, progress, signal)
    await file.sync()
    return copied
  } finally {
    await file.close()
  }
}

async function copyLines(
  client: ControlClient,
  file: FileHandle,
  progress: Progress,
  signal: AbortSignal,
): Promise<Copied> {
  const hash = createHash('sha256')
  const sums = { rows: 0, blobs: 0, bytes: 0 }
  let start: BackupStart | undefined
  let isSound = false
  for await (const line of client.lines('/v1/backup', { signal })) {
    const read = JSON.parse(line) as BackupLine
    if ('start' in read) start = read.start
    else if ('isSound' in read) isSound = read.isSound
    else {
      const bytes = Buffer.from(`${line}\n`)
      hash.update(bytes)
      await file.write(bytes)
      sums.rows += read.entries
      sums.blobs += 1
      sums.bytes += bytes.length
      progress.show(sums.rows, sums.rows, start?.entries ?? 0)
    }
  }
  if (start === undefined) throw new CliError('PEER_GONE', 'the peer sent no backup')
  signal.throwIfAborted()
  return { start, ...sums, sha256: hash.digest('hex'), isSound }
}
