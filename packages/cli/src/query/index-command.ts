import { Command } from 'commander'
import { CliError } from '../cli-error.ts'
import { clientCommand, examples } from '../commands/options.ts'
import type { ClientOptions } from '../commands/options.ts'
import { ControlClient } from '../control/control-client.ts'
import type { IndexAnswer, IndexesAnswer } from '../control/queries/query-answers.ts'
import { note, print, printJson } from '../terminal/output.ts'
import { countOf } from '../terminal/quantities.ts'
import { visible } from '../terminal/visible.ts'

interface IndexOptions extends ClientOptions {
  readonly drop?: true
}

/** `gossipgrid index`. */
export function indexCommand(): Command {
  const command = new Command('index')
    .description('Make an index for queries at the running peer, or list its indexes')
    .argument('<collection>', 'name of the map')
    .argument('[fields]', 'such as city, or country,population; without them, the indexes that there are')
    .option('--drop', 'drop it')
    .action(runIndex)
  return examples(clientCommand(command), [
    ['gossipgrid index users city', 'until the peer closes; the application makes its own with map.index'],
    ['gossipgrid index users city,age', 'for a city, and by age within it'],
    ['gossipgrid index users', 'fields, tab, size'],
    ['gossipgrid index carts city', 'of a partitioned map: its owners make it, and keep it for good'],
    ['gossipgrid index users city --drop', 'frees its memory'],
  ])
}

async function runIndex(collection: string, fields: string | undefined, options: IndexOptions): Promise<void> {
  if (fields === undefined && options.drop === true)
    throw new CliError('USAGE', 'which index to drop is missing', `As in: gossipgrid index ${collection} city --drop`)
  const client = await ControlClient.of(options)
  try {
    if (fields === undefined) {
      const answer = await client.call<IndexesAnswer>('/v1/indexes', { query: { collection } })
      if (options.json === true) return printJson(answer)
      if (answer.indexes.length === 0) return note(`'${collection}' has no index at this peer`)
      for (const each of answer.indexes) print(`${namesOf(each)}\t${each.size ?? 'at its owners'}`)
      return
    }
    const body = JSON.stringify(fields.split(',').map((field) => field.trim()))
    const path = options.drop === true ? '/v1/indexes-dropped' : '/v1/indexes'
    const answer = await client.call<IndexAnswer>(path, { method: 'POST', query: { collection }, body })
    if (options.json === true) return printJson(answer)
    const size = answer.size === undefined ? 'at the owners' : `with ${countOf(answer.size, 'entry', 'entries')}`
    note(`${options.drop === true ? 'dropped' : 'ready'}: ${namesOf(answer)}, ${size}`)
  } finally {
    client.close()
  }
}

function namesOf({ fields }: IndexAnswer): string {
  return fields.map(visible).join(',')
}
