import type { Grid } from 'gossipgrid'
import { CliError } from '../cli-error.ts'
import type { DocumentAnswer } from './control-api.ts'

const NAMES_SHOWN_MAX = 20

/** A document as a Yjs update. Throws `NOT_FOUND`: reading a document must not create it. */
export async function documentAnswer(grid: Grid, name: string): Promise<DocumentAnswer> {
  const names = grid.docs()
  if (!names.includes(name)) {
    throw new CliError('NOT_FOUND', `no document '${name}' is known to this peer`, documentsText(names))
  }
  const { encodeStateAsUpdate } = await import('yjs')
  const document = await grid.doc(name)
  try {
    return { document: name, update: Buffer.from(encodeStateAsUpdate(document.y)).toString('base64') }
  } finally {
    await document.close()
  }
}

/** Which documents there are. */
export function documentsText(names: readonly string[]): string {
  if (names.length === 0) return 'There are none yet.'
  const more = names.length > NAMES_SHOWN_MAX ? `, and ${names.length - NAMES_SHOWN_MAX} more` : ''
  return `There are: ${names.slice(0, NAMES_SHOWN_MAX).join(', ')}${more}.`
}
