import { CliError, systemCode } from '../cli-error.ts'

/** What to do about errors of a peer that does not start, by their code. */
const ADVICE: Readonly<Record<string, string>> = {
  INVALID_NAME: 'Give the grid a name, as in --name shop.',
  NETWORK_PORT_TAKEN:
    'Close what listens there, or give another port to --listen. gossipgrid doctor --listen ADDRESS says what is free.',
  STORAGE_FORMAT: 'Give --data a directory of its own.',
  STORAGE_FULL: 'Free some space, or give --data a directory on another disk.',
  STORAGE_IN_USE: 'A peer runs on it already: gossipgrid status finds it. Give this one another --data.',
  STORAGE_NOT_WRITABLE: 'Give --data a directory where you can write, or one that is not there yet.',
  STORAGE_OTHER_GRID: 'Correct --name or --data.',
}

/** The error of a peer that does not start, with what to do about it. */
export function withAdvice(error: unknown): unknown {
  const code = systemCode(error)
  const advice = ADVICE[code]
  if (!(error instanceof Error) || error instanceof CliError || advice === undefined) return error
  return CliError.fromPeer(code, error.message, advice)
}
