import { extname } from 'node:path'
import { CliError } from '../cli-error.ts'
import type { DocumentAnswer } from '../control/control-api.ts'
import type { ControlClient } from '../control/control-client.ts'
import { documentText } from '../formats/document-text.ts'

export const DOCUMENT_FORMATS = ['update', 'text'] as const

/** How a document is written: all of it as one Yjs update, or what its texts say. */
type DocumentFormat = (typeof DOCUMENT_FORMATS)[number]

const EXTENSIONS: Readonly<Record<string, DocumentFormat>> = {
  '.yjs': 'update',
  '.bin': 'update',
  '.txt': 'text',
  '.md': 'text',
}

/** The format that was asked for, else that of the file's extension, else text for a stream. Throws `USAGE`. */
export function documentFormatOf(file: string | undefined, asked: string | undefined): DocumentFormat {
  const given = DOCUMENT_FORMATS.find((format) => format === asked)
  if (given !== undefined) return given
  const advice = 'Say --format update or --format text, or use one of .yjs, .bin, .txt, .md.'
  if (asked !== undefined) throw new CliError('USAGE', `a document cannot be written as ${asked}`, advice)
  if (file === undefined || file === '-') return 'text'
  const format = EXTENSIONS[extname(file).toLowerCase()]
  if (format === undefined) throw new CliError('USAGE', `the name ${file} does not tell its format`, advice)
  return format
}

/** A document as it is written to a file. Throws `NOT_FOUND`. */
export async function documentContent(
  client: ControlClient,
  document: string,
  format: DocumentFormat,
  signal: AbortSignal,
): Promise<string | Uint8Array> {
  const answer = await client.call<DocumentAnswer>('/v1/document', { query: { document }, signal })
  const update = Buffer.from(answer.update, 'base64')
  return format === 'update' ? update : documentText(update)
}
