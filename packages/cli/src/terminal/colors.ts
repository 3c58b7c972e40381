import type { WriteStream } from 'node:tty'
import pc from 'picocolors'

export type Colors = ReturnType<typeof pc.createColors>

/** Colours for a terminal, none for a pipe or a file. NO_COLOR and FORCE_COLOR override that. */
export function colorsFor(stream: Pick<WriteStream, 'isTTY'>, environment: NodeJS.ProcessEnv = process.env): Colors {
  return pc.createColors(colorsWanted(stream.isTTY === true && environment['TERM'] !== 'dumb', environment))
}

function colorsWanted(interactive: boolean, environment: NodeJS.ProcessEnv): boolean {
  if ((environment['NO_COLOR'] ?? '') !== '') return false
  return interactive || (environment['FORCE_COLOR'] ?? '') !== ''
}
