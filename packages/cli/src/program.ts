import { createRequire } from 'node:module'
import { Command } from 'commander'
import type { ErrorOptions } from 'commander'
import { backupCommand } from './backup/backup-command.ts'
import { restoreCommand } from './backup/restore-command.ts'
import { collectionsCommand } from './commands/collections-command.ts'
import { countersCommand, setsCommand } from './counting/counters-command.ts'
import { deleteCommand } from './commands/delete-command.ts'
import { dropCommand } from './commands/drop-command.ts'
import { entriesCommand } from './commands/entries-command.ts'
import { forgetCommand } from './commands/forget-command.ts'
import { getCommand } from './commands/get-command.ts'
import { membersCommand } from './commands/members-command.ts'
import { secretCommand } from './commands/secret-command.ts'
import { setCommand } from './commands/set-command.ts'
import { statusCommand } from './commands/status-command.ts'
import { watchCommand } from './commands/watch-command.ts'
import { completeCommand } from './complete-command.ts'
import { demoCommand } from './demo/demo-command.ts'
import { doctorCommand } from './doctor/doctor-command.ts'
import { peerCommand } from './peer/peer-command.ts'
import { passCommand } from './guests/pass-command.ts'
import { indexCommand } from './query/index-command.ts'
import { beginAgainCommand } from './placement/begin-again-command.ts'
import { leaveCommand } from './placement/leave-command.ts'
import { ownersCommand } from './placement/owners-command.ts'
import { queryCommand } from './query/query-command.ts'
import { relayCommand } from './relay/relay-command.ts'
import { visibleLines } from './terminal/visible.ts'
import { exportCommand } from './transfer/export-command.ts'
import { importCommand } from './transfer/import-command.ts'

// Not from the grid's own package, which takes a second to load. Not every command needs it.
const { version } = createRequire(import.meta.url)('../package.json') as { version: string }

const GROUPS: readonly (readonly [title: string, commands: readonly (() => Command)[]])[] = [
  ['Run:', [peerCommand, relayCommand, demoCommand, secretCommand, doctorCommand]],
  [
    'Read and write, through a running peer:',
    [
      getCommand,
      setCommand,
      deleteCommand,
      entriesCommand,
      queryCommand,
      indexCommand,
      watchCommand,
      countersCommand,
      setsCommand,
    ],
  ],
  ['Files:', [exportCommand, importCommand, backupCommand, restoreCommand]],
  ['Look at a running peer:', [statusCommand, collectionsCommand, membersCommand, ownersCommand]],
  ['Look after the grid:', [passCommand, leaveCommand, dropCommand, forgetCommand, beginAgainCommand]],
]

/** Options belong to the commands behind it: the error for one that stands before its command says so. */
class RootCommand extends Command {
  override error(message: string, options?: ErrorOptions): never {
    const [, flag = ''] = /^error: unknown option '(-[^'=]*)/.exec(message) ?? []
    const having = this.commands.filter((command) =>
      command.options.some(({ long, short }) => flag === long || flag === short),
    )
    const meant = having.find((command) => this.args.includes(command.name())) ?? having[0]
    if (meant === undefined) return super.error(message, options)
    const place = `belongs behind a command, as in: gossipgrid ${meant.name()} ${flag}`
    return super.error(`error: the option '${flag}' ${place}`, options)
  }
}

/** The `gossipgrid` command with all its subcommands. `completing`: a shell asks it for completions. */
export function program({ completing = false }: { readonly completing?: boolean } = {}): Command {
  const root = new RootCommand('gossipgrid')
    .description('A peer-to-peer, gossip-based, eventually consistent data grid')
    .version(version, '-V, --version')
    .configureHelp({ subcommandTerm: (command) => `${command.name()} ${argumentsOf(command)}` })
    .helpCommand(false)
    .addHelpText('after', HELP)
  for (const [title, commands] of GROUPS) {
    root.commandsGroup(title)
    for (const command of commands) root.addCommand(command())
  }
  root.commandsGroup('Other:')
  root.addCommand(helpCommand(root))
  if (!completing) root.addCommand(completeCommand())
  for (const command of [root, ...root.commands]) {
    command.configureOutput({ outputError: (text, writeErr) => writeErr(visibleLines(text)) })
    command.exitOverride().showHelpAfterError(`Try: gossipgrid ${command === root ? '' : `${command.name()} `}--help`)
  }
  return root
}

/** Users type `help set` as often as `set --help`. */
function helpCommand(root: Command): Command {
  return new Command('help')
    .description('Show how to use a command')
    .argument('[command]', 'name of the command')
    .action((name: string | undefined) => {
      const command =
        name === undefined ? root : root.commands.find((one) => one.name() === name || one.alias() === name)
      // As without help: commander says what may be meant.
      if (command === undefined) root.parse([name!], { from: 'user' })
      else command.outputHelp()
    })
}

function argumentsOf(command: Command): string {
  const names = command.registeredArguments.map((one) => (one.required ? `<${one.name()}>` : `[${one.name()}]`))
  return names.join(' ')
}

const HELP = `
Examples:
  $ gossipgrid demo                                  see it: five peers, a network split, a kill, and a heal
  $ gossipgrid peer --name shop --data ./shop        run a peer
  $ gossipgrid set users ada '{"age":36}'            write through it, from another terminal
  $ gossipgrid watch users                           see what changes, on any peer

Commands find the peer that runs on this machine; with several, choose by --name, --peer or --socket.
Exit code: 0 done, 1 not found or failed, 2 wrong usage, 3 no peer reachable, 130 interrupted.`
