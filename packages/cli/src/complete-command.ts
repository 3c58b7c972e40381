import { Argument, Command } from 'commander'
import type { CollectionsAnswer } from './control/control-api.ts'
import { ControlClient } from './control/control-client.ts'
import { examples } from './commands/options.ts'

/** Completion waits no longer than this for names of collections. */
const NAMES_MAX_MS = 300
const SHELLS = ['zsh', 'bash', 'fish', 'powershell'] as const

/** `gossipgrid complete` for the help. `addCompletion` adds its action when it is called. */
export function completeCommand(): Command {
  const command = new Command('complete')
    .description('Print a script that completes commands, options and collections')
    .addArgument(new Argument('<shell>', 'the shell').choices(SHELLS))
  return examples(command, [
    ['gossipgrid complete bash >> ~/.bashrc', 'bash, which needs its package bash-completion for it'],
    ['gossipgrid complete zsh > ~/.zfunc/_gossipgrid', 'zsh, with ~/.zfunc in fpath'],
    ['gossipgrid complete fish > ~/.config/fish/completions/gossipgrid.fish', 'fish'],
  ])
}

/** Answers a shell that asks for completions. `program` must not have the command above. */
export async function addCompletion(program: Command, typed: readonly string[]): Promise<void> {
  const { default: tab } = await import('@bomb.sh/tab/commander')
  const completion = tab(program)
  const names = typed.length > 1 && SHELLS.every((shell) => shell !== typed[0]) ? await collectionNames() : []
  for (const command of program.commands) {
    const completed = completion.commands.get(command.name())
    const argument = completed?.arguments.get('collection')
    if (argument === undefined) continue
    argument.handler = (complete) => {
      for (const name of names) complete(name, '')
    }
  }
}

async function collectionNames(): Promise<string[]> {
  let client: ControlClient | undefined
  try {
    client = await ControlClient.of({})
    const signal = AbortSignal.timeout(NAMES_MAX_MS)
    const { collections } = await client.call<CollectionsAnswer>('/v1/collections', { signal })
    return collections.map(({ name }) => name)
  } catch {
    // No peer, several, or a slow one: suggest nothing.
    return []
  } finally {
    client?.close()
  }
}
