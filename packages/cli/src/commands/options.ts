import { InvalidArgumentError, Option } from 'commander'
import type { Command } from 'commander'
import { CliError } from '../cli-error.ts'
import type { PeerChoice } from '../control/running-peer.ts'

const OWNERS_MAX = 16
const PARTITIONS_MIN = 16
const PARTITIONS_MAX = 4096

/** Options of every command that calls a running peer. */
export interface ClientOptions extends PeerChoice {
  readonly json?: true
}

/** Adds the options that select a running peer, and `--json`. */
export function clientCommand(command: Command): Command {
  return command
    .option('--name <grid>', 'the running peer of this grid, if several peers run')
    .option('--peer <id>', 'the running peer with this id; its last characters are enough')
    .option('--socket <path>', 'the socket of the peer (or GOSSIPGRID_SOCKET)')
    .option('--json', 'machine-readable output; errors become one line of JSON on stderr')
}

/** Adds examples below the help of a command. A test parses all of them. */
export function examples(command: Command, lines: readonly (readonly [line: string, text: string])[]): Command {
  const width = Math.max(...lines.map(([line]) => line.length)) + 3
  const shown = lines.map(([line, text]) =>
    width > 50 ? `  # ${text}\n  $ ${line}` : `  $ ${line.padEnd(width)}${text}`,
  )
  return command.addHelpText('after', `\nExamples:\n${shown.join('\n')}`)
}

/** A whole number from `min` to `max`. `orElse`: what the option takes besides, for the message. */
export function countParser(min: number, max: number, orElse = ''): (text: string) => number {
  return (text) => {
    const count = Number(text)
    if (text.trim() !== '' && Number.isInteger(count) && count >= min && count <= max) return count
    throw new InvalidArgumentError(`It is a whole number from ${min} to ${max}${orElse}.`)
  }
}

/** Options of commands that can create a partitioned map. */
export interface ShapeOptions {
  readonly partitioned?: true
  readonly owners?: number
  readonly partitions?: number
}

/** Adds the options about a map that does not exist yet. */
export function shapeCommand(command: Command): Command {
  return command
    .option('--partitioned', 'create the map with its entries on a few peers each, if it does not exist')
    .addOption(
      new Option('--owners <count>', 'peers that have each of them, 3 by default').argParser(
        countParser(1, OWNERS_MAX),
      ),
    )
    .addOption(
      new Option('--partitions <count>', 'a power of two from 16 to 4096, 256 by default').argParser(
        countParser(PARTITIONS_MIN, PARTITIONS_MAX),
      ),
    )
}

/** What the map is to be, as a call of the peer says it. Throws `USAGE`. */
export function shapeQuery(options: ShapeOptions): Record<string, string | number | undefined> {
  const { owners, partitions, partitioned } = options
  if (partitioned === true) return { partitioned: 'true', owners, partitions }
  if ((owners ?? partitions) !== undefined) throw new CliError('USAGE', '--owners and --partitions need --partitioned')
  return {}
}

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
/** The longest time that a timer can wait. */
const DURATION_MAX_MS = 2 ** 31 - 1
/** The longest time to live that `grid.map` accepts: ten years. */
const TTL_MAX_MS = 10 * 365 * 86_400_000

/** `500ms`, `5s`, `2m`, `1h` as milliseconds; a bare number counts seconds. */
export function parseDuration(text: string): number {
  const ms = millisecondsIn(text)
  if (ms >= 1 && ms <= DURATION_MAX_MS) return ms
  throw new InvalidArgumentError('It is a time such as 500ms, 5s or 2m.')
}

/** The same for a time to live: up to ten years, `3650d`. */
export function parseTtl(text: string): number {
  const ms = millisecondsIn(text)
  if (ms >= 1 && ms <= TTL_MAX_MS) return ms
  throw new InvalidArgumentError('It is a time such as 30s, 5m, 12h or 90d, and ten years at most.')
}

function millisecondsIn(text: string): number {
  const [, count, unit = 's'] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(text) ?? []
  return Math.round(Number(count) * (UNITS_MS[unit] ?? Number.NaN))
}

/** Collects the values of an option that may be given several times. */
export function collect(text: string, before: readonly string[] = []): string[] {
  return [...before, text]
}
