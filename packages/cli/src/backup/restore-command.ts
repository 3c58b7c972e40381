import { Command } from 'commander'
import { examples } from '../commands/options.ts'
import type { RestoreOptions } from './run-restore.ts'

/** `gossipgrid restore`. */
export function restoreCommand(): Command {
  const command = new Command('restore')
    .description('Make the data directory of a new peer from a backup')
    .argument('<directory>', 'the directory that gossipgrid backup made')
    .requiredOption('--data <directory>', 'the data directory to make')
    .option('--json', 'machine-readable output; errors become one line of JSON on stderr')
    .action(async (directory: string, options: RestoreOptions) => {
      const { runRestore } = await import('./run-restore.ts')
      await runRestore(directory, options)
    })
  return examples(command, [
    ['gossipgrid restore shop-2026-11-30 --data ./shop', 'checks the backup first'],
    ['gossipgrid peer --name shop --data ./shop', 'then start a peer on it'],
  ]).addHelpText(
    'after',
    `
The peer has an identity of its own. If other peers of the grid live, it is one that returns with an old copy:
what they have that is newer wins, deletes included.`,
  )
}
