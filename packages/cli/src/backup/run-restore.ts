import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import { IMAGE_FORMAT, restoreBlobs } from 'gossipgrid/backup'
import { CliError } from '../cli-error.ts'
import type { BackupBlob } from '../control/control-api.ts'
import { fileError } from '../files/file-trouble.ts'
import { textLines } from '../formats/json/lines.ts'
import { interruption, note, printJson } from '../terminal/output.ts'
import { progressBar } from '../terminal/progress.ts'
import { countOf, durationText } from '../terminal/quantities.ts'
import { shellWord } from '../terminal/shell-word.ts'
import { BLOBS, badBackup, checkIsFile, readManifest, unreadable } from './manifest.ts'
import type { Manifest } from './manifest.ts'
import { NewDirectory } from './new-directory.ts'

const LINE_MAX_BYTES = 256 * 1024 * 1024
const ADVICE = 'Use another backup. Nothing was restored.'

/** The options of `gossipgrid restore`, as commander parses them. */
export interface RestoreOptions {
  readonly data: string
  readonly json?: true
}

/** Makes the data directory of a new peer. Throws `BAD_BACKUP`, `INTERRUPTED`, or an error for a directory that cannot be made. */
export async function runRestore(directory: string, { data, json }: RestoreOptions): Promise<void> {
  const startMs = performance.now()
  const signal = interruption()
  const manifest = readManifest(directory, IMAGE_FORMAT)
  await check(directory, manifest, signal)
  const progress = await progressBar('rows')
  const place = new NewDirectory(data, 'CURRENT')
  try {
    let rows = 0
    async function* blobs(): AsyncGenerator<{ key: string; bytes: Uint8Array }, void, undefined> {
      for await (const line of textLines(createReadStream(join(directory, BLOBS)), LINE_MAX_BYTES)) {
        if (signal.aborted) throw new CliError('INTERRUPTED', 'interrupted: nothing was restored')
        if (line === '') continue
        const { key, entries, bytes } = JSON.parse(line) as BackupBlob
        rows += entries
        progress.show(rows, rows, manifest.rows)
        yield { key, bytes: Buffer.from(bytes, 'base64') }
      }
    }
    await restoreBlobs(blobs(), place.path)
    if (rows !== manifest.rows) {
      throw badBackup(directory, `is damaged: it has ${rows} rows and should have ${manifest.rows}`, ADVICE)
    }
    place.takePlace()
  } catch (error) {
    place.discard()
    throw fileError(`the data directory ${data} cannot be made`, 'Check the disk and its space.', error)
  } finally {
    progress.stop()
  }
  const { grid, rows } = manifest
  const tookMs = Math.round(performance.now() - startMs)
  if (json === true) return printJson({ directory: data, grid, rows, tookMs })
  note(`${countOf(rows, 'row')} of grid '${grid}' in ${durationText(tookMs)}, in ${data}`)
  note(`Start a peer on it: gossipgrid peer --name ${shellWord(grid)} --data ${shellWord(data)}`)
  note('Give --secret-file as well if the grid has a secret. The backup does not hold it.')
}

/** Reads all of a backup before anything is written. Throws `BAD_BACKUP`. */
async function check(directory: string, { bytes, sha256 }: Manifest, signal: AbortSignal): Promise<void> {
  const hash = createHash('sha256')
  let readBytes = 0
  checkIsFile(directory, BLOBS)
  try {
    for await (const piece of createReadStream(join(directory, BLOBS))) {
      if (signal.aborted) throw new CliError('INTERRUPTED', 'interrupted: nothing was restored')
      hash.update(piece as Buffer)
      readBytes += (piece as Buffer).length
    }
  } catch (error) {
    throw unreadable(directory, BLOBS, error)
  }
  if (readBytes !== bytes) throw badBackup(directory, `has ${readBytes} bytes of ${BLOBS} and should have ${bytes}`)
  if (hash.digest('hex') === sha256) return
  throw badBackup(directory, `is damaged: ${BLOBS} is not what was written`, ADVICE)
}
