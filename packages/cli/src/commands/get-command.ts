import { Command, Option } from 'commander'
import type { EntryAnswer } from '../control/control-api.ts'
import { ControlClient } from '../control/control-client.ts'
import { fromTagged } from '../formats/json/tagged-json.ts'
import { print, write } from '../terminal/output.ts'
import { visibleJson } from '../terminal/visible.ts'
import { clientCommand, examples, parseDuration } from './options.ts'
import type { ClientOptions } from './options.ts'

interface GetOptions extends ClientOptions {
  readonly raw?: true
  readonly after?: string
  readonly timeout?: number
}

/** `gossipgrid get`. */
export function getCommand(): Command {
  const command = new Command('get')
    .description('Print the value of a key')
    .argument('<collection>', 'name of the collection')
    .argument('<key>', 'key of the entry')
    .option('--raw', 'print text without quotes and bytes as they are')
    .option('--after <token>', 'wait for the write of this token, which set --json prints')
    .addOption(
      new Option('--timeout <time>', 'how long to wait for it, as in 500ms, 5s or 2m').argParser(parseDuration),
    )
    .action(runGet)
  return examples(clientCommand(command), [
    ['gossipgrid get users ada', 'the value as JSON'],
    ['gossipgrid get users ada --json', '{"collection":"users","key":"ada","value":...}'],
    ['gossipgrid get users ada --after ASOg8qQ --timeout 5s', 'once this peer has that write'],
    ['gossipgrid get files logo --raw > logo.png', 'bytes into a file'],
  ]).addHelpText('after', '\nExits with 1 when there is no such entry.')
}

async function runGet(collection: string, key: string, options: GetOptions): Promise<void> {
  const client = await ControlClient.of(options)
  try {
    const answer = await client.text('/v1/entry', {
      query: { collection, key, after: options.after, timeoutMs: options.timeout },
    })
    if (options.json === true) return print(visibleJson(answer))
    const { value } = JSON.parse(answer) as EntryAnswer
    if (options.raw === true) await writeRaw(value)
    else print(visibleJson(JSON.stringify(value, undefined, process.stdout.isTTY ? 2 : undefined)))
  } finally {
    client.close()
  }
}

/**
 * Texts and bytes are printed without quotes, with escapes for anything that could control a terminal. Other values
 * have no raw form but their JSON.
 */
async function writeRaw(tagged: unknown): Promise<void> {
  const value = fromTagged(structuredClone(tagged))
  if (typeof value === 'string') return write(value)
  if (!(value instanceof Uint8Array)) return print(visibleJson(JSON.stringify(tagged)))
  if (process.stdout.isTTY) return write(Buffer.from(value).toString())
  process.stdout.write(value)
}
