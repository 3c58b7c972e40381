import { Command } from 'commander'
import { clientCommand, examples } from '../commands/options.ts'
import type { ClientOptions } from '../commands/options.ts'
import type { BegunAgain } from '../control/partitioned/leave-routes.ts'
import { ControlClient } from '../control/control-client.ts'
import { note, print, printJson } from '../terminal/output.ts'
import { countOf } from '../terminal/quantities.ts'
import { visible } from '../terminal/visible.ts'

/** `gossipgrid begin-again`. */
export function beginAgainCommand(): Command {
  const command = new Command('begin-again')
    .description('Let lost partitions of a collection go on with what is left of them')
    .argument('<collection>', 'name of the collection')
    .action(runBeginAgain)
  return examples(clientCommand(command), [
    ['gossipgrid status', 'says how many partitions are lost'],
    ['gossipgrid begin-again carts', 'they go on with what other peers still have'],
  ]).addHelpText(
    'after',
    `
A partition is lost when no peer has a whole copy of it any more, as when all disks that had one are gone. Run this when
you are sure that none of them comes back: what only they had stays lost.`,
  )
}

async function runBeginAgain(collection: string, options: ClientOptions): Promise<void> {
  const client = await ControlClient.of(options)
  try {
    const answer = await client.call<BegunAgain>('/v1/begin-again', { method: 'POST', query: { collection } })
    if (options.json === true) return printJson(answer)
    if (answer.partitions === 0) return note(`no partition of ${visible(answer.collection)} is lost: nothing to do`)
    print(`${countOf(answer.partitions, 'partition')} of ${visible(answer.collection)} begin again with what is left.`)
  } finally {
    client.close()
  }
}
