import { once } from 'node:events'
import { CLI_ERROR_CODES, CliError, errorText, exitCodeOf, isSystemError } from '../cli-error.ts'
import { colorsFor } from './colors.ts'
import { visibleColoured, visibleJson, visibleLines } from './visible.ts'

/** Writes a line to stdout. */
export function print(line: string): void {
  process.stdout.write(`${visibleColoured(line)}\n`)
}

/** Writes one line of JSON to stdout. */
export function printJson(value: unknown): void {
  print(visibleJson(JSON.stringify(value)))
}

/** Prints a note that is not the result on stderr: stdout is for the result alone. With `json`, as a line of JSON. */
export function note(text: string, json: boolean = false): void {
  toStderr(json ? visibleJson(JSON.stringify({ note: text })) : visibleLines(text))
}

function toStderr(line: string): void {
  process.stderr.write(`${line}\n`)
}

/**
 * Writes to stdout, and waits while its reader is slow. For a terminal, control characters become escapes; a file or a
 * pipe gets the text as it is.
 */
export async function write(text: string | Uint8Array): Promise<void> {
  const shown = typeof text === 'string' && process.stdout.isTTY ? visibleColoured(text) : text
  if (!process.stdout.write(shown)) await once(process.stdout, 'drain')
}

/** Prints an error on stderr, for people or as one line of JSON. Returns its exit code. */
export function tellError(thrown: unknown, json: boolean): number {
  const error = ofFile(thrown)
  const own = error instanceof CliError ? error : undefined
  const code = own?.code ?? (isCoded(error) ? error.code : 'INTERNAL')
  const message = own?.message ?? errorText(error)
  const advice = own?.advice ?? ''
  if (json) {
    toStderr(visibleJson(JSON.stringify({ error: { code, message, ...(advice === '' ? {} : { advice }) } })))
  } else {
    const { red, dim } = colorsFor(process.stderr)
    toStderr(`${red('error:')} ${visibleLines(message)}${CLI_ERROR_CODES.has(code) ? '' : dim(` (${code})`)}`)
    if (advice !== '') toStderr(visibleLines(advice))
  }
  return exitCodeOf(code)
}

/** An error of the system that names a file, and that no command has put into words. */
function ofFile(error: unknown): unknown {
  if (!isSystemError(error) || !isCoded(error) || !('path' in error)) return error
  return new CliError('FILE', `${String(error.path)}: ${errorText(error)}`, 'Check its path, permissions and disk.')
}

function isCoded(error: unknown): error is Error & { readonly code: string } {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
}

/**
 * Ends the command when its output cannot be written. It is quiet when the reader has gone, as in `gossipgrid entries
 * users |
 * head`. Otherwise, for example when the disk is full, it fails with an error.
 */
export function endWithOutput(json: boolean): void {
  // A note that cannot be printed changes neither the work nor the exit code.
  process.stderr.on('error', () => undefined)
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0)
    const message = `the output cannot be written: ${errorText(error)}`
    const failure = new CliError('FILE', message, 'Check where it goes, and the space there.', { cause: error })
    process.exit(tellError(failure, json))
  })
}

/** Aborted by the first Ctrl-C or SIGTERM. The second one ends the command at once. */
export function interruption(): AbortSignal {
  const controller = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (controller.signal.aborted) process.exit(130)
      controller.abort()
    })
  }
  return controller.signal
}
