import { Command } from 'commander'
import type { EntryAnswer } from '../control/control-api.ts'
import { ControlClient } from '../control/control-client.ts'
import { fromTagged } from '../formats/tagged-json.ts'
import { print } from '../terminal/output.ts'
import { visibleJson } from '../terminal/visible.ts'
import { clientCommand, examples } from './options.ts'
import type { ClientOptions } from './options.ts'

interface GetOptions extends ClientOptions {
  readonly raw?: true
}

/** `gossipgrid get`. */
export function getCommand(): Command {
  const command = new Command('get')
    .description('Print the value of a key')
    .argument('<collection>', 'name of the collection')
    .argument('<key>', 'key of the entry')
    .option('--raw', 'print text without quotes and bytes as they are')
    .action(runGet)
  return examples(clientCommand(command), [
    ['gossipgrid get users ada', 'the value as JSON'],
    ['gossipgrid get users ada --json', '{"collection":"users","key":"ada","value":...}'],
    ['gossipgrid get files logo --raw > logo.png', 'bytes into a file'],
  ]).addHelpText('after', '\nExits with 1 when there is no such entry.')
}

async function runGet(collection: string, key: string, options: GetOptions): Promise<void> {
  const client = await ControlClient.of(options)
  try {
    const answer = await client.text('/v1/entry', { query: { collection, key } })
    if (options.json === true) return print(visibleJson(answer))
    const { value } = JSON.parse(answer) as EntryAnswer
    if (options.raw === true) printRaw(value)
    else print(visibleJson(JSON.stringify(value, undefined, process.stdout.isTTY ? 2 : undefined)))
  } finally {
    client.close()
  }
}

/** Texts and bytes are what they are, without anything around them; other values have no raw form but their JSON. */
function printRaw(tagged: unknown): void {
  const value = fromTagged(structuredClone(tagged))
  if (typeof value === 'string' || value instanceof Uint8Array) process.stdout.write(value)
  else print(JSON.stringify(tagged))
}
