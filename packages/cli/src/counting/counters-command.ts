import { Command, Option } from 'commander'
import { CliError } from '../cli-error.ts'
import { ControlClient } from '../control/control-client.ts'
import { stringifyTagged } from '../formats/json/tagged-json.ts'
import { printStored, printAnswer } from './stored.ts'
import { readValue } from '../commands/entry-value.ts'
import { countParser, examples } from '../commands/options.ts'
import { waitQuery, writeCommand } from '../commands/set-command.ts'
import type { WriteOptions } from '../commands/set-command.ts'

const COUNT = countParser(1, Number.MAX_SAFE_INTEGER)

interface CountersOptions extends WriteOptions {
  readonly add?: number
  readonly subtract?: number
}

interface SetsOptions extends WriteOptions {
  readonly add?: readonly string[]
  readonly remove?: readonly string[]
}

/** `gossipgrid counters`. */
export function countersCommand(): Command {
  const command = new Command('counters')
    .description('Print counters, or count up and down')
    .argument('<collection>', 'name of the counters; made by the first count')
    .argument('[key]', 'key of the counter; without one, all of them, or a counter of its own')
    .addOption(new Option('--add <number>', 'count up by this number').argParser(COUNT))
    .addOption(new Option('--subtract <number>', 'count down by this number').argParser(COUNT).conflicts('add'))
    .action(runCounters)
  return examples(writeCommand(command), [
    ['gossipgrid counters visits /home --add 1', 'prints the count'],
    ['gossipgrid counters stock chairs --subtract 2', 'a counter may go below zero'],
    ['gossipgrid counters visits /home', 'the count; exits with 1 if there is none'],
    ['gossipgrid counters visits', 'key, tab, count'],
    ['gossipgrid counters downloads --add 1', 'a counter of its own, as grid.counter has it'],
  ])
}

/** `gossipgrid sets`. */
export function setsCommand(): Command {
  const command = new Command('sets')
    .description('Print sets, or add and remove elements')
    .argument('<collection>', 'name of the sets; made by the first element')
    .argument('[key]', 'key of the set; without one, all of them, or a set of its own')
    .option('--add <element>', 'add it: JSON, else text; may be repeated', repeated)
    .option('--remove <element>', 'remove it; may be repeated', repeated)
    .action(runSets)
  return examples(writeCommand(command), [
    ['gossipgrid sets tags post-1 --add red --add blue', 'prints the elements as JSON'],
    ['gossipgrid sets tags post-1 --remove red', 'an add that this peer has not seen brings it back'],
    ['gossipgrid sets tags post-1', 'the elements; exits with 1 if there are none'],
    ['gossipgrid sets tags', 'key, tab, elements'],
    ['gossipgrid sets colours --add red', 'a set of its own, as grid.set has it'],
  ])
}

async function runCounters(collection: string, key: string | undefined, options: CountersOptions): Promise<void> {
  const by = options.add ?? (options.subtract === undefined ? undefined : -options.subtract)
  if (by === undefined) return printStored('counter', collection, key, options)
  await change('/v1/change-of-counter', collection, key, JSON.stringify(by), options)
}

async function runSets(collection: string, key: string | undefined, options: SetsOptions): Promise<void> {
  const [add = [], remove = []] = [options.add?.map(readValue), options.remove?.map(readValue)]
  if (add.length + remove.length === 0) return printStored('set', collection, key, options)
  await change('/v1/change-of-set', collection, key, stringifyTagged({ add, remove }), options)
}

async function change(
  path: string,
  collection: string,
  key: string | undefined,
  body: string,
  options: WriteOptions,
): Promise<void> {
  if (key === '') throw new CliError('USAGE', 'a key is not empty')
  const client = await ControlClient.of(options)
  try {
    const query = { collection, key, ...waitQuery(options) }
    printAnswer(await client.text(path, { method: 'POST', query, body }), options)
  } finally {
    client.close()
  }
}

function repeated(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text]
}
