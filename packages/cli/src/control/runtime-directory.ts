import { lstatSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CliError, systemCode } from '../cli-error.ts'
import { makeDirectory, writeTrouble } from '../files/file-trouble.ts'

/** Overrides the directory of sockets, for services and tests. */
export const RUNTIME_DIRECTORY_VARIABLE = 'GOSSIPGRID_RUNTIME_DIR'

/** The directory of sockets in this project's systemd unit. Commands of root look there too. */
const SERVICE_DIRECTORY = '/run/gossipgrid'

/** macOS allows 104 bytes with the zero at the end, Linux 108. */
export const SOCKET_PATH_MAX_BYTES = 103

export type Environment = Readonly<Record<string, string | undefined>>

/**
 * The directories in which this user's peers may have their sockets; new ones go into the first. A peer and a command
 * may have different environments (cron, ssh, a desktop), so a command looks in all of them.
 */
export function runtimeDirectories(environment: Environment = process.env): string[] {
  const chosen = environment[RUNTIME_DIRECTORY_VARIABLE] ?? ''
  if (chosen !== '') return [chosen]
  const user = userId()
  const places: string[] = []
  const session = environment['XDG_RUNTIME_DIR'] ?? ''
  if (session !== '' && ownedDirectory(session)) places.push(join(session, 'gossipgrid'))
  if (user !== undefined && ownedDirectory(`/run/user/${user}`)) places.push(`/run/user/${user}/gossipgrid`)
  places.push(join(tmpdir(), user === undefined ? 'gossipgrid' : `gossipgrid-${user}`))
  if (user === 0) places.push(SERVICE_DIRECTORY)
  return [...new Set(places)]
}

/** Creates the directory for new sockets, for this user alone. Throws `SOCKET` where another user could use it. */
export function makeRuntimeDirectory(environment: Environment = process.env): string {
  const [directory] = runtimeDirectories(environment) as [string]
  try {
    makeDirectory(directory, 0o700)
  } catch (error) {
    throw new CliError('SOCKET', `${directory} cannot be made: ${writeTrouble(error)}`, ADVICE, { cause: error })
  }
  if (!trusted(directory)) {
    throw new CliError('SOCKET', `${directory} belongs to another user, or others may write to it`, ADVICE)
  }
  return directory
}

const ADVICE = `Set ${RUNTIME_DIRECTORY_VARIABLE} to a directory of your own with mode 0700, or give --socket PATH.`

/** True for a directory in which only this user (or, for root, the system) can have created sockets. */
export function trusted(directory: string): boolean {
  const user = userId()
  try {
    const found = lstatSync(directory)
    if (!found.isDirectory()) return false
    if (user === undefined) return true
    if (user === 0 && directory === SERVICE_DIRECTORY) return true
    return found.uid === user && (found.mode & 0o022) === 0
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EACCES'].includes(systemCode(error))) return false
    throw error
  }
}

function ownedDirectory(path: string): boolean {
  try {
    const found = lstatSync(path)
    return found.isDirectory() && found.uid === userId()
  } catch {
    return false
  }
}

/** Undefined on Windows. */
function userId(): number | undefined {
  return process.getuid?.()
}
