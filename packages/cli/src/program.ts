import { Command } from 'commander'
import { VERSION } from 'gossipgrid'
import { demoCommand } from './demo/demo-command.ts'

/** The `gossipgrid` command with all its subcommands. */
export function program(): Command {
  return new Command('gossipgrid')
    .description('A peer-to-peer, gossip-based, eventually consistent data grid')
    .version(VERSION)
    .addCommand(demoCommand())
    .showHelpAfterError()
}
