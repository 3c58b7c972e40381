import { extname } from 'node:path'
import { CliError } from '../cli-error.ts'

/** How entries are written in files. */
export type Format = 'ndjson' | 'json' | 'csv'

export const FORMATS: readonly Format[] = ['ndjson', 'json', 'csv']

const EXTENSIONS: Readonly<Record<string, Format>> = {
  '.ndjson': 'ndjson',
  '.jsonl': 'ndjson',
  '.json': 'json',
  '.csv': 'csv',
}

/** The format that was asked for, else that of the file's extension, else NDJSON for a stream. Throws `USAGE`. */
export function formatOf(file: string | undefined, asked: Format | undefined): Format {
  if (asked !== undefined) return asked
  if (file === undefined || file === '-') return 'ndjson'
  const format = EXTENSIONS[extname(file).toLowerCase()]
  if (format !== undefined) return format
  throw new CliError(
    'USAGE',
    `the name ${file} does not tell its format`,
    'Say it with --format ndjson, json or csv, or use one of .ndjson, .jsonl, .json, .csv.',
  )
}
