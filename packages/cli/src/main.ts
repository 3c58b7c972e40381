#!/usr/bin/env node
import { CommanderError } from 'commander'
import { addCompletion } from './complete-command.ts'
import { CliError, EXIT } from './cli-error.ts'
import { program } from './program.ts'
import { endWithOutput, tellError } from './terminal/output.ts'

/** How long a command that has failed may take to end by itself. */
const ENDING_MAX_MS = 1000

const typed = process.argv.slice(2)
const literalFrom = typed.indexOf('--')
const json = (literalFrom === -1 ? typed : typed.slice(0, literalFrom)).includes('--json')
const completing = typed[0] === 'complete' && typed.length > 1 && !typed.includes('--help') && !typed.includes('-h')

endWithOutput(json)
const command = program({ completing })
// For programs a wrong command line gives an error like every other.
if (json) {
  for (const part of [command, ...command.commands]) {
    part.configureOutput({ outputError: () => undefined }).showHelpAfterError(false)
  }
}
try {
  if (completing) await addCompletion(command, typed.slice(1))
  if (typed.length === 0) command.outputHelp()
  else await command.parseAsync()
} catch (error) {
  process.exitCode = exitCodeOf(error)
  // Everything is closed. If a library still keeps the process alive, end it.
  setTimeout(() => process.exit(), ENDING_MAX_MS).unref()
}

function exitCodeOf(error: unknown): number {
  if (!(error instanceof CommanderError)) return tellError(error, json)
  if (error.exitCode === 0) return EXIT.ok
  if (json) tellError(new CliError('USAGE', error.message.replace(/^error: /, '')), json)
  return EXIT.usage
}
