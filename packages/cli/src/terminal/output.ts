import { once } from 'node:events'
import { CLI_ERROR_CODES, CliError, EXIT, errorText } from '../cli-error.ts'
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

/** Tells the user something that is not the result: stdout stays clean for pipes. With `json`, as a line of JSON. */
export function note(text: string, json: boolean = false): void {
  toStderr(json ? visibleJson(JSON.stringify({ note: text })) : visibleLines(text))
}

function toStderr(line: string): void {
  process.stderr.write(`${line}\n`)
}

/**
 * Writes to stdout, and waits while its reader is slow. A terminal is shown escapes in place of what could command it; a file
 * or a pipe gets the text as it is.
 */
export async function write(text: string): Promise<void> {
  if (!process.stdout.write(process.stdout.isTTY ? visibleColoured(text) : text)) await once(process.stdout, 'drain')
}

/** Shows an error on stderr, for people or as one line of JSON, and returns the exit code that fits. */
export function tellError(error: unknown, json: boolean): number {
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
  return own?.exitCode ?? EXIT.failed
}

function isCoded(error: unknown): error is Error & { readonly code: string } {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
}

/**
 * Ends the command when its output cannot be written: quietly where its reader has gone, as in `gossipgrid entries users |
 * head`; with an error where, for instance, the disk is full.
 */
export function endWithOutput(json: boolean): void {
  // What cannot be told changes neither the work nor the exit code.
  process.stderr.on('error', () => undefined)
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0)
    const failure = new CliError('FILE', `the output cannot be written: ${errorText(error)}`, '', { cause: error })
    process.exit(tellError(failure, json))
  })
}

/** Aborted by the first Ctrl-C or SIGTERM. At the second one the command ends at once. */
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
