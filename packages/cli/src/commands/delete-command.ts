import { Command } from 'commander'
import type { WriteAnswer } from '../control/control-api.ts'
import { ControlClient } from '../control/control-client.ts'
import { examples } from './options.ts'
import { tellReceipt, waitQuery, writeCommand } from './set-command.ts'
import type { WriteOptions } from './set-command.ts'

/** `gossipgrid delete`. */
export function deleteCommand(): Command {
  const command = new Command('delete')
    .alias('del')
    .description('Delete a key')
    .argument('<collection>', 'name of the collection')
    .argument('<key>', 'key of the entry')
    .action(runDelete)
  return examples(writeCommand(command), [
    ['gossipgrid delete users ada', 'exits with 1 when there is no such entry'],
    ['gossipgrid delete users ada --copies 2 --json', 'wait for a second peer, print the receipt'],
  ])
}

async function runDelete(collection: string, key: string, options: WriteOptions): Promise<void> {
  const client = await ControlClient.of(options)
  try {
    const query = { collection, key, ...waitQuery(options) }
    tellReceipt(await client.call<WriteAnswer>('/v1/entry', { method: 'DELETE', query }), options)
  } finally {
    client.close()
  }
}
