import type { Grid } from 'gossipgrid'
import { backupBlobs, backupOrigin } from 'gossipgrid/backup'
import type { BackupLine } from './control-api.ts'
import { inPieces, streamed } from './ndjson.ts'

/** A backup of a grid, one line for each blob. `closing` ends it. */
export function backupResponse(grid: Grid, software: string, closing: AbortSignal): Response {
  const stop = new AbortController()
  const signal = AbortSignal.any([closing, stop.signal])
  return streamed(inPieces(backupLines(grid, software, signal)), () => stop.abort())
}

async function* backupLines(
  grid: Grid,
  software: string,
  signal: AbortSignal,
): AsyncGenerator<string, void, undefined> {
  const lineOf = (line: BackupLine): string => `${JSON.stringify(line)}\n`
  const { entries, ...origin } = backupOrigin(grid)
  yield lineOf({ start: { ...origin, software, entries } })
  const blobs = backupBlobs(grid, { signal })
  let count = 0
  for (let step = await blobs.next(); ; step = await blobs.next()) {
    if (step.done === true) {
      yield lineOf({ isSound: step.value })
      break
    }
    count += 1
    const { key, bytes, entries: rows } = step.value
    const { buffer, byteOffset, length } = bytes
    yield lineOf({ key, entries: rows, bytes: Buffer.from(buffer, byteOffset, length).toString('base64') })
  }
  yield `{"end":${count}}\n`
}
