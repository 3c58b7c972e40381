import { randomBytes } from 'node:crypto'
import { Command } from 'commander'
import { CliError, systemCode } from '../cli-error.ts'
import { writeTrouble } from '../files/file-trouble.ts'
import { writePrivateFile, writeWholeFile } from '../files/whole-file.ts'
import { note, print, printJson } from '../terminal/output.ts'
import { examples } from './options.ts'

const SECRET_BYTES = 32
const SECRET_MODE = 0o600

interface SecretOptions {
  readonly out?: string
  readonly force?: true
  readonly json?: true
}

/** `gossipgrid secret`. */
export function secretCommand(): Command {
  const command = new Command('secret')
    .description('Make a new secret for a private grid')
    .option('--out <file>', 'write it to a file that only you can read, instead of printing it')
    .option('--force', 'replace the file if there is one')
    .option('--json', 'machine-readable output; errors become one line of JSON on stderr')
    .action(runSecret)
  return examples(command, [
    ['gossipgrid secret --out grid.secret', 'mode 0600; copy it to the other machines'],
    ['gossipgrid peer --name shop --secret-file grid.secret', 'only peers with the same file can join'],
    ['gossipgrid secret', 'print one'],
  ])
}

/** 32 random bytes as text, with a prefix that secret scanners and people recognise. */
function newSecret(): string {
  return `gg1_${randomBytes(SECRET_BYTES).toString('base64url')}`
}

async function runSecret(options: SecretOptions): Promise<void> {
  const secret = newSecret()
  if (options.out === undefined) {
    if (options.json === true) printJson({ secret })
    else print(secret)
    return
  }
  writeSecret(options.out, secret, options.force === true)
  if (options.json === true) printJson({ file: options.out })
  else note(`A new secret is in ${options.out}. Copy the file to every machine of the grid, and keep it to yourself.`)
}

function writeSecret(file: string, secret: string, force: boolean): void {
  try {
    if (force) writeWholeFile(file, `${secret}\n`, { mode: SECRET_MODE, setMode: true, durable: true })
    else writePrivateFile(file, `${secret}\n`)
  } catch (error) {
    if (error instanceof CliError) throw error
    if (systemCode(error) === 'EEXIST') {
      throw new CliError('FILE', `${file} is there already`, 'Choose another name, or replace it with --force.')
    }
    throw new CliError(
      'FILE',
      `${file} cannot be written: ${writeTrouble(error)}`,
      'Name a file in a directory of yours.',
      {
        cause: error,
      },
    )
  }
}
