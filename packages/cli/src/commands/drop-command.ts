import { Command } from 'commander'
import type { DropAnswer } from '../control/control-api.ts'
import { ControlClient } from '../control/control-client.ts'
import { note, print, printJson } from '../terminal/output.ts'
import { countOf } from '../terminal/quantities.ts'
import { visible } from '../terminal/visible.ts'
import { examples } from './options.ts'
import { waitQuery, writeCommand } from './set-command.ts'
import type { WriteOptions } from './set-command.ts'

/** `gossipgrid drop`. */
export function dropCommand(): Command {
  const command = new Command('drop')
    .description('Delete a whole collection for good, on all peers')
    .argument('<collection>', 'name of the collection')
    .action(runDrop)
  return examples(writeCommand(command), [
    ['gossipgrid collections', 'lists those there are'],
    ['gossipgrid drop drafts', 'all of it is gone, on every peer'],
    ['gossipgrid drop drafts --copies 2', 'wait for a second peer'],
  ]).addHelpText(
    'after',
    `
It does not ask for confirmation. A collection of that name that is written to afterwards is a new one. What other peers write
without knowing of the drop is lost with the rest.`,
  )
}

async function runDrop(collection: string, options: WriteOptions): Promise<void> {
  const client = await ControlClient.of(options)
  try {
    const query = { collection, ...waitQuery(options) }
    const answer = await client.call<DropAnswer>('/v1/collection', { method: 'DELETE', query })
    if (options.json === true) return printJson(answer)
    const entries = countOf(answer.entries, 'entry', 'entries')
    print(`Dropped: ${visible(answer.collection)}, a ${answer.kind} with ${entries}.`)
    if (!answer.receipt.durable) {
      note('this peer keeps its data in memory; the drop is forgotten when all peers that know of it end')
    }
  } finally {
    client.close()
  }
}
