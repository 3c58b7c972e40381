import { createRequire } from 'node:module'
import { Command } from 'commander'
import { demoCommand } from './demo/demo-command.ts'

// Not from the grid's own package, which takes a second to load and is not needed by every command.
const { version } = createRequire(import.meta.url)('../package.json') as { version: string }

/** The `gossipgrid` command with all its subcommands. */
export function program(): Command {
  return new Command('gossipgrid')
    .description('A peer-to-peer, gossip-based, eventually consistent data grid')
    .version(version)
    .addCommand(demoCommand())
    .showHelpAfterError()
}
