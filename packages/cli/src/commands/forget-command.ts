import { Command } from 'commander'
import type { ForgetAnswer } from '../control/control-api.ts'
import { ControlClient } from '../control/control-client.ts'
import { note, print, printJson } from '../terminal/output.ts'
import { clientCommand, examples } from './options.ts'
import type { ClientOptions } from './options.ts'

/** `gossipgrid forget`. */
export function forgetCommand(): Command {
  const command = new Command('forget')
    .description('Say that a peer with a directory will never come back')
    .argument('<member>', 'its id; the last characters are enough')
    .action(runForget)
  return examples(clientCommand(command), [
    ['gossipgrid status', 'shows which peers purging waits for'],
    ['gossipgrid forget Qm3HxKzp', 'all peers stop waiting for it'],
  ]).addHelpText(
    'after',
    `
Deletes are remembered until every peer with a directory has them. Writes that only the forgotten peer
has are lost with it. If it comes back after all, it brings back nothing that was deleted.`,
  )
}

async function runForget(member: string, options: ClientOptions): Promise<void> {
  const client = await ControlClient.of(options)
  try {
    const answer = await client.call<ForgetAnswer>('/v1/member', { method: 'DELETE', query: { member } })
    if (options.json === true) return printJson(answer)
    print(`Forgotten: ${answer.peerId}. No peer waits for it any more.`)
    if (answer.alive) note('it runs, so it registers again within a minute. Close it first, and forget it then.')
  } finally {
    client.close()
  }
}
