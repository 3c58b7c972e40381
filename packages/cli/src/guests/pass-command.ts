import { Argument, Command, Option } from 'commander'
import type { Grant } from 'gossipgrid'
import { CliError } from '../cli-error.ts'
import { clientCommand, examples, parseTtl } from '../commands/options.ts'
import type { ClientOptions } from '../commands/options.ts'
import { ControlClient } from '../control/control-client.ts'
import type { PassAnswer, RevokeAnswer } from '../control/guests/pass-answers.ts'
import { colorsFor } from '../terminal/colors.ts'
import { note, print, printJson } from '../terminal/output.ts'
import { facts } from '../terminal/table.ts'
import { collectDocs, collectGrant, collectTopics, grantText } from './grant-words.ts'

const ACTIONS = ['issue', 'show', 'revoke'] as const
const EXPIRES_MS = 3_600_000

interface PassCommandOptions extends ClientOptions {
  readonly read?: readonly Grant[]
  readonly write?: readonly Grant[]
  readonly edit?: readonly Grant[]
  readonly view?: readonly Grant[]
  readonly readSet?: readonly Grant[]
  readonly writeSet?: readonly Grant[]
  readonly readCounter?: readonly Grant[]
  readonly writeCounter?: readonly Grant[]
  readonly listen?: readonly Grant[]
  readonly publish?: readonly Grant[]
  readonly presence?: boolean
  readonly expires?: number
  readonly id?: string
  readonly only?: string
}

/** `gossipgrid pass`. */
export function passCommand(): Command {
  const command = new Command('pass')
    .description('Issue, show or revoke the pass of a guest')
    .addArgument(new Argument('<action>', 'what to do').choices(ACTIONS))
    .argument('<what>', 'to issue: the subject, such as a user; to show or revoke: the pass; to revoke: or its id')
    .option(
      '--write <map>',
      'may read and write it: MAP, or MAP:PREFIX for keys; may be repeated',
      collectGrant('write'),
    )
    .option('--read <map>', 'may read it; may be repeated', collectGrant('read'))
    .option('--edit <documents>', 'may edit documents whose names begin so; may be repeated', collectDocs('write'))
    .option('--view <documents>', 'may read them; may be repeated', collectDocs('read'))
    .option(
      '--write-set <set>',
      'the same for a set: SET, or SET:PREFIX; may be repeated',
      collectGrant('write', 'set'),
    )
    .option('--read-set <set>', 'may read it; may be repeated', collectGrant('read', 'set'))
    .option(
      '--write-counter <counter>',
      'the same for a counter: COUNTER, or COUNTER:PREFIX; may be repeated',
      collectGrant('write', 'counter'),
    )
    .option('--read-counter <counter>', 'may read it; may be repeated', collectGrant('read', 'counter'))
    .option(
      '--publish <topics>',
      'may publish to topics whose names begin so, and listen; may be repeated',
      collectTopics('write'),
    )
    .option('--listen <topics>', 'may listen to them; may be repeated', collectTopics('read'))
    .option('--presence', 'may see who is present, and be seen')
    .addOption(
      new Option('--expires <time>', 'how long it is valid, as in 30m, 12h or 30d (default: 1h)').argParser(parseTtl),
    )
    .option('--id <text>', 'by which to revoke it')
    .option('--only <peer>', 'only this peer may use it')
    .action(runPass)
  return examples(clientCommand(command), [
    ['gossipgrid pass issue user-42 --write todos:42/ --read news', 'prints the pass, valid for an hour'],
    ['gossipgrid pass issue kiosk-1 --read news --expires 30d --id kiosk-1', 'to be revoked by a name'],
    ['gossipgrid pass issue ada --publish chat/ --presence', 'a chat, with who is there'],
    ['gossipgrid pass revoke kiosk-1', 'members end its connections, and let no guest in with it'],
    ['gossipgrid pass show "$PASS"', 'what is in it, without a peer and without checking it'],
  ]).addHelpText(
    'after',
    `
A guest holds a pass in place of the secret: see gossipgrid peer --guests. Any program that has the pass may use it.`,
  )
}

async function runPass(action: (typeof ACTIONS)[number], what: string, options: PassCommandOptions): Promise<void> {
  const { expires, id, only } = options
  const isAsked = grantsOf(options).length > 0 || [expires, id, only].some((option) => option !== undefined)
  if (action !== 'issue' && isAsked)
    throw new CliError('USAGE', `pass ${action} takes no grants, and none of --expires, --id and --only`)
  if (action === 'show') return show(what, options)
  const client = await ControlClient.of(options)
  try {
    if (action === 'issue') await issue(client, what, options)
    else await revoke(client, what, options)
  } finally {
    client.close()
  }
}

function grantsOf(options: PassCommandOptions): Grant[] {
  const {
    edit,
    listen,
    presence = false,
    publish,
    read,
    readCounter,
    readSet,
    view,
    write,
    writeCounter,
    writeSet,
  } = options
  const typed = [write, read, writeSet, readSet, writeCounter, readCounter, edit, view, publish, listen]
  return [...typed.flatMap((grants) => grants ?? []), ...(presence ? [{ presence } as const] : [])]
}

async function issue(client: ControlClient, subject: string, options: PassCommandOptions): Promise<void> {
  const { expires: expiresInMs = EXPIRES_MS, id, only } = options
  const grants = grantsOf(options)
  if (grants.length === 0)
    throw new CliError(
      'USAGE',
      'a pass has to allow something',
      'Add --read MAP, --write MAP:PREFIX or --publish TOPICS.',
    )
  const peer = only === undefined ? {} : { peerId: only }
  const body = JSON.stringify({ subject, expiresInMs, grants, id, ...peer })
  const answer = await client.call<PassAnswer>('/v1/pass', { method: 'POST', body })
  if (options.json === true) return printJson(answer)
  print(answer.pass)
  note(`for ${answer.subject}, until ${dateText(answer.expiresAtMs)}; its id is ${answer.id}`)
}

async function revoke(client: ControlClient, pass: string, options: PassCommandOptions): Promise<void> {
  const body = JSON.stringify({ pass })
  const answer = await client.call<RevokeAnswer>('/v1/pass-revoked', { method: 'POST', body })
  if (options.json === true) return printJson(answer)
  print(`Revoked: ${answer.id}. Members refuse it as soon as they know.`)
}

async function show(text: string, options: PassCommandOptions): Promise<void> {
  const { readPass } = await import('gossipgrid')
  const { expiresAtMs, grants, grid, id, peerId, subject } = readPass(text)
  if (options.json === true)
    return printJson({ id, subject, grid, expiresAtMs, grants, ...(peerId === undefined ? {} : { peerId }) })
  const colors = colorsFor(process.stdout)
  const until = dateText(expiresAtMs)
  print(
    facts(
      [
        ['grid', grid],
        ['subject', subject],
        ['id', id],
        ['until', expiresAtMs > Date.now() ? until : colors.yellow(`${until}: it has ended`)],
        ...(peerId === undefined ? [] : [['only for', peerId] as [string, string]]),
        ['may', grants.map(grantText).join('\n')],
      ],
      colors,
    ),
  )
}

function dateText(wallMs: number): string {
  return new Date(wallMs).toISOString()
}
