import { Command, Option } from 'commander'
import { CliError } from '../cli-error.ts'
import type { ChangeLine, CollectionsAnswer } from '../control/control-api.ts'
import { ControlClient } from '../control/control-client.ts'
import { colorsFor } from '../terminal/colors.ts'
import type { Colors } from '../terminal/colors.ts'
import { interruption, note, write } from '../terminal/output.ts'
import { visible, visibleJson } from '../terminal/visible.ts'
import { clientCommand, examples } from './options.ts'
import type { ClientOptions } from './options.ts'

interface WatchOptions extends ClientOptions {
  readonly initial?: true
  readonly prefix?: string
  readonly key?: string
}

/** `gossipgrid watch`. */
export function watchCommand(): Command {
  const command = new Command('watch')
    .description('Print changes as they come, until Ctrl-C')
    .argument('<collection>', 'name of the collection')
    .option('--initial', 'begin with the entries that are there')
    .option('--prefix <text>', 'only keys that start so')
    .addOption(new Option('--key <key>', 'only this key').conflicts('prefix'))
    .action(runWatch)
  return examples(clientCommand(command), [
    ['gossipgrid watch users', 'from now on'],
    ['gossipgrid watch users --initial --prefix a', 'with what is there'],
    ['gossipgrid watch users --json | jq .key', 'one JSON object a line'],
  ])
}

async function runWatch(collection: string, options: WatchOptions): Promise<void> {
  const signal = interruption()
  const client = await ControlClient.of(options)
  const colors = colorsFor(process.stdout)
  try {
    const { collections } = await client.call<CollectionsAnswer>('/v1/collections')
    if (!collections.some(({ name }) => name === collection)) {
      note(`note: '${collection}' has no entries yet; waiting for the first`, options.json)
    }
    const { initial, prefix, key } = options
    for await (const line of client.lines('/v1/changes', { query: { collection, initial, prefix, key }, signal })) {
      if (signal.aborted) break
      await write(`${options.json === true ? visibleJson(line) : readable(JSON.parse(line) as ChangeLine, colors)}\n`)
    }
    // Only an interruption is an end that was wanted.
    if (!signal.aborted) {
      throw new CliError('PEER_GONE', 'the peer has closed', 'Start it again, and watch again with --initial.')
    }
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    client.close()
  }
}

function readable(change: ChangeLine, colors: Colors): string {
  switch (change.type) {
    case 'set':
      return `${colors.green('set')}     ${visible(change.key)}  ${visibleJson(JSON.stringify(change.value))}`
    case 'delete':
      return `${colors.red('delete')}  ${visible(change.key)}`
    case 'lagged':
      return `${colors.yellow('lagged')}  ${change.missed} changes were left out: this reader is too slow`
  }
}
