import { Command } from 'commander'
import { clientCommand, examples } from '../commands/options.ts'
import type { ClientOptions } from '../commands/options.ts'
import type { OwnersAnswer } from '../control/partitioned/owners-answer.ts'
import { ControlClient } from '../control/control-client.ts'
import { colorsFor } from '../terminal/colors.ts'
import { print, printJson } from '../terminal/output.ts'
import { ownerTable } from './owner-table.ts'

/** `gossipgrid owners`. */
export function ownersCommand(): Command {
  const command = new Command('owners')
    .description('List the peers that own a key of a partitioned map')
    .argument('<collection>', 'name of the collection')
    .argument('<key>', 'key of the entry, whether it exists or not')
    .action(runOwners)
  return examples(clientCommand(command), [
    ['gossipgrid owners users ada', 'a table, the first choice first'],
    ['gossipgrid owners users ada --json | jq -r .owners[].peerId', 'only their ids'],
  ])
}

async function runOwners(collection: string, key: string, options: ClientOptions): Promise<void> {
  const client = await ControlClient.of(options)
  try {
    const answer = await client.call<OwnersAnswer>('/v1/owners', { query: { collection, key } })
    if (options.json === true) return printJson(answer)
    print(await ownerTable(answer, colorsFor(process.stdout)))
  } finally {
    client.close()
  }
}
