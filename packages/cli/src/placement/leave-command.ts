import { Command, Option } from 'commander'
import type { LeaveProgress } from 'gossipgrid'
import { CliError } from '../cli-error.ts'
import { clientCommand, examples, parseDuration } from '../commands/options.ts'
import type { ClientOptions } from '../commands/options.ts'
import type { LeaveLine } from '../control/partitioned/leave-routes.ts'
import { ControlClient } from '../control/control-client.ts'
import { interruption, note, print, printJson } from '../terminal/output.ts'
import { shareBar } from '../terminal/progress.ts'
import { bytesText, countOf } from '../terminal/quantities.ts'

interface LeaveOptions extends ClientOptions {
  readonly timeout?: number
}

/** `gossipgrid leave`. */
export function leaveCommand(): Command {
  const command = new Command('leave')
    .description('Take a peer out of the grid for good: hand over what it holds, and close it')
    .addOption(
      new Option('--timeout <time>', 'how long handing over may take, by default 10m').argParser(parseDuration),
    )
    .action(runLeave)
  return examples(clientCommand(command), [
    ['gossipgrid leave', 'with a progress bar; the peer closes at the end'],
    ['gossipgrid leave --timeout 1h', 'for a peer that holds much'],
    ['gossipgrid leave --peer Qm3HxKzp --json', 'what was handed over, for a script'],
  ]).addHelpText(
    'after',
    `
From the call on the peer owns nothing. It answers for its partitions until the other owners have all of it on their disks.
If that takes too long, the command fails with LEAVE_INCOMPLETE (exit code 1), and the peer stays open and goes on handing
over: run the command again. The last peer that can own has no other one to hand over to: it says so, and waits. Ctrl-C ends the command, not the handing over. To close a peer that comes back, use Ctrl-C
there, or systemctl stop.`,
  )
}

async function runLeave(options: LeaveOptions): Promise<void> {
  const signal = interruption()
  const client = await ControlClient.of(options)
  let bar = await shareBar(leftText)
  const said = new Set<string>()
  const say = async (text: string): Promise<void> => {
    if (text === '' || said.has(text)) return
    said.add(text)
    // The note stays, and the bar goes on below it.
    bar.stop()
    note(text, options.json)
    bar = await shareBar(leftText)
  }
  let most: LeaveProgress | undefined
  let ended: LeaveLine | undefined
  try {
    const lines = client.lines('/v1/leave', { method: 'POST', query: { timeoutMs: options.timeout }, signal })
    for await (const line of lines) {
      const answer = JSON.parse(line) as LeaveLine
      if ('left' in answer || 'failed' in answer) {
        ended = answer
        continue
      }
      most = larger(most, answer)
      await say(waitingText(answer))
      bar.show(workOf(most) - workOf(answer), workOf(most), answer)
    }
  } finally {
    bar.stop()
    client.close()
  }
  if (ended === undefined) throw interrupted()
  if ('failed' in ended) throw CliError.fromPeer(ended.failed.code, ended.failed.message)
  const { bytes = 0, partitions = 0 } = most ?? {}
  if (options.json === true) return printJson({ left: true, partitions, bytes })
  const handed = partitions === 0 ? '' : ` Others have the ${countOf(partitions, 'partition')} that it had.`
  print(`The peer has left the grid and is closed.${handed} Its directory is not deleted.`)
}

function leftText({ bytes, hints, partitions }: LeaveProgress): string {
  const parts = [countOf(partitions, 'partition'), bytesText(bytes), ...(hints > 0 ? [countOf(hints, 'write')] : [])]
  return `${parts.join(', ')} left`
}

/** What only other peers can change. '' if nothing waits for that. */
function waitingText({ ownerAway, withoutOwner }: LeaveProgress): string {
  if (withoutOwner > 0) {
    const why = 'this peer is the last one that can own partitions, and waits until another one joins'
    return `${why}. To close it without handing over, stop it there with Ctrl-C, or with systemctl stop.`
  }
  return ownerAway > 0
    ? 'it waits for peers that are to take partitions over and are out of reach (gossipgrid members)'
    : ''
}

/** What is handed over counts by partitions: those that are nearly empty take a round trip as well. */
function workOf({ hints, partitions }: LeaveProgress): number {
  return partitions + (hints > 0 ? 1 : 0)
}

/** The most that was left at a time: copies that were still on their way when it began come later. */
function larger(most: LeaveProgress | undefined, now: LeaveProgress): LeaveProgress {
  if (most === undefined) return now
  return {
    partitions: Math.max(most.partitions, now.partitions),
    bytes: Math.max(most.bytes, now.bytes),
    hints: Math.max(most.hints, now.hints),
    withoutOwner: Math.max(most.withoutOwner, now.withoutOwner),
    ownerAway: Math.max(most.ownerAway, now.ownerAway),
  }
}

function interrupted(): CliError {
  return new CliError(
    'INTERRUPTED',
    'the peer goes on handing over, and stays open',
    'Run gossipgrid leave again to wait for the end.',
  )
}
