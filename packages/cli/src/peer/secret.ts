import { statSync } from 'node:fs'
import { CliError, errorText, systemCode } from '../cli-error.ts'
import { readAtMost } from '../files/read-at-most.ts'
import { shellWord } from '../terminal/shell-word.ts'

const SECRETS_MAX = 2
const SECRETS_MAX_BYTES = 64 * 1024

/** The secrets of a grid: its secret, and during a change the former one. Empty for an open grid. */
export interface GridSecrets {
  readonly secrets: readonly string[]
  /** A warning for the user, or ''. */
  readonly warning: string
}

/** Reads secrets from a file, else from GOSSIPGRID_SECRET. Throws `FILE`, `USAGE`. */
export function readSecrets(file: string | undefined, environment: NodeJS.ProcessEnv = process.env): GridSecrets {
  if (file === undefined) return { secrets: secretsOfVariable(environment['GOSSIPGRID_SECRET']), warning: '' }
  let text: string
  let mode: number
  try {
    text = readAtMost(file, SECRETS_MAX_BYTES).toString()
    mode = statSync(file).mode
  } catch (error) {
    throw new CliError(
      'FILE',
      `the secret file ${file} cannot be read: ${errorText(error)}`,
      systemCode(error) === 'ENOENT'
        ? `Make one with: gossipgrid secret --out ${shellWord(file)}`
        : 'Name a file that you can read with --secret-file.',
      {
        cause: error,
      },
    )
  }
  const secrets = secretsIn(text, file)
  if (secrets.length === 0) {
    throw new CliError(
      'FILE',
      `${file} is empty`,
      `Make a secret with: gossipgrid secret --force --out ${shellWord(file)}`,
    )
  }
  const open = process.platform !== 'win32' && (mode & 0o004) !== 0
  return { secrets, warning: open ? `every user of this machine can read ${file}: chmod 600 ${shellWord(file)}` : '' }
}

/** A variable that is set and empty was forgotten: it must not open the grid. */
function secretsOfVariable(text: string | undefined): string[] {
  if (text === undefined) return []
  const secrets = secretsIn(text, 'GOSSIPGRID_SECRET')
  if (secrets.length > 0) return secrets
  throw new CliError(
    'USAGE',
    'GOSSIPGRID_SECRET is set, and empty',
    'Set it to the secret of the grid, or unset it for a grid without one.',
  )
}

function secretsIn(text: string, where: string): string[] {
  const lines = text.split('\n').map((line) => line.trim())
  const secrets = lines.filter((line) => line !== '')
  if (secrets.length <= SECRETS_MAX) return secrets
  throw new CliError(
    'FILE',
    `${where} holds ${secrets.length} secrets`,
    'It holds one a line: the own one, and while you change it the former one below.',
  )
}
