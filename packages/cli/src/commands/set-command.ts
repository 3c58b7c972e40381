import { buffer } from 'node:stream/consumers'
import { Command, Option } from 'commander'
import { CliError } from '../cli-error.ts'
import { ControlClient } from '../control/control-client.ts'
import type { WriteAnswer } from '../control/control-api.ts'
import { stringifyTagged } from '../formats/json/tagged-json.ts'
import { note, printJson } from '../terminal/output.ts'
import { readValue } from './entry-value.ts'
import { clientCommand, countParser, examples, parseDuration, parseTtl, shapeCommand, shapeQuery } from './options.ts'
import type { ClientOptions, ShapeOptions } from './options.ts'

const COPIES_MAX = 64

/** Options of commands that write. */
export interface WriteOptions extends ClientOptions {
  readonly copies?: number | 'all'
  readonly peers?: number
  readonly timeout?: number
}

interface SetOptions extends WriteOptions, ShapeOptions {
  readonly string?: true
  readonly bytes?: true
  readonly ttl?: number
}

/** Adds the options about durability and copies. */
export function writeCommand(command: Command): Command {
  return clientCommand(
    command
      .addOption(
        new Option('--copies <count>', "wait until this many peers have it on disk, or 'all' that are alive").argParser(
          (text) => (text === 'all' ? text : countParser(1, COPIES_MAX, ', or all')(text)),
        ),
      )
      .addOption(
        new Option('--peers <count>', 'wait until this many peers have it, on disk or in memory')
          .argParser(countParser(1, COPIES_MAX))
          .conflicts('copies'),
      )
      .addOption(
        new Option('--timeout <time>', 'how long to wait for them, as in 500ms, 5s or 2m').argParser(parseDuration),
      ),
  )
}

/** What a write waits for, as a call of the peer says it. */
export function waitQuery({ copies, peers, timeout }: WriteOptions): Record<string, string | number | undefined> {
  return { copies, peers, timeoutMs: timeout }
}

/** `gossipgrid set`. */
export function setCommand(): Command {
  const command = new Command('set')
    .description('Write a value; returns once it is on the disk of the peer')
    .argument('<collection>', 'name of the collection; created if it does not exist')
    .argument('<key>', 'key of the entry')
    .argument('[value]', "the value: JSON, else text; '-' or nothing reads stdin")
    .option('--string', 'take the value as text, even if it is JSON')
    .addOption(new Option('--bytes', 'take stdin as bytes').conflicts('string'))
    .addOption(
      new Option('--ttl <time>', 'the entry expires after this time, as in 30s, 5m, 12h or 90d').argParser(parseTtl),
    )
    .action(runSet)
  return examples(writeCommand(shapeCommand(command)), [
    [`gossipgrid set users ada '{"age":36}'`, 'an object'],
    ['gossipgrid set greetings en hello', 'text, since it is no JSON'],
    ['gossipgrid set codes lisbon 1000 --string', 'text that would be a number'],
    ['gossipgrid set files logo --bytes < logo.png', 'bytes'],
    ['gossipgrid set sessions s-1 ada --ttl 30m', 'an entry that expires'],
    ['gossipgrid set carts 42 tea --partitioned', 'into a new map that is spread over the peers'],
    [
      `gossipgrid set users ada '{"age":37}' --copies 2 --timeout 5s --json`,
      'wait for a second peer, print the receipt',
    ],
  ]).addHelpText(
    'after',
    `
A value is JSON if it can be read as JSON, else text. What begins with {, [ or " must be JSON.
Values that JSON cannot express: {"$bytes":"AAEC"} {"$date":"2026-01-31T12:00:00Z"} {"$bigint":"12"}
{"$number":"NaN"} {"$undefined":true}`,
  )
}

async function runSet(collection: string, key: string, typed: string | undefined, options: SetOptions): Promise<void> {
  const value = await valueOf(typed, options)
  const client = await ControlClient.of(options)
  try {
    const query = { collection, key, ...waitQuery(options), ttlMs: options.ttl, ...shapeQuery(options) }
    const answer = await client.call<WriteAnswer>('/v1/entry', { method: 'PUT', query, body: stringifyTagged(value) })
    tellReceipt(answer, options)
  } finally {
    client.close()
  }
}

/** Prints nothing when all is as expected, as a shell command does. */
export function tellReceipt(answer: WriteAnswer, options: WriteOptions): void {
  if (options.json === true) return printJson(answer)
  noteInMemory(answer.receipt)
}

/** Says so if the write is on no disk. */
export function noteInMemory({ durable }: WriteAnswer['receipt']): void {
  if (!durable) note('this peer keeps its data in memory; the write is lost when all such peers end')
}

async function valueOf(typed: string | undefined, options: SetOptions): Promise<unknown> {
  if (options.bytes === true) {
    if (typed !== undefined && typed !== '-') throw new CliError('USAGE', '--bytes reads stdin: leave the value out')
    return new Uint8Array(await readStdin(typed))
  }
  const text = typed === undefined || typed === '-' ? textOf(await readStdin(typed)).replace(/\r?\n$/, '') : typed
  return options.string === true ? text : readValue(text)
}

/** Throws `USAGE` for bytes that are no text: reading them as text would change them. */
function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    throw new CliError('USAGE', 'stdin is not UTF-8', 'Store it as bytes with --bytes.', { cause })
  }
}

/** Empty input is a mistake of a script, unless the user asked for stdin with a dash. */
async function readStdin(typed: string | undefined): Promise<Buffer> {
  const read = process.stdin.isTTY && typed === undefined ? Buffer.alloc(0) : await buffer(process.stdin)
  if (read.length > 0 || typed === '-') return read
  throw new CliError(
    'USAGE',
    'the value is missing',
    "Give it as the last argument, or pipe it into stdin with '-' in its place.",
  )
}
