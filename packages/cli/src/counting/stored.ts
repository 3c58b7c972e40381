import { CliError } from '../cli-error.ts'
import type { ChangeAnswer, CollectionsAnswer, EntryAnswer } from '../control/control-api.ts'
import { ControlClient } from '../control/control-client.ts'
import { print } from '../terminal/output.ts'
import { visibleJson } from '../terminal/visible.ts'
import { runEntries } from '../commands/entries-command.ts'
import type { ClientOptions } from '../commands/options.ts'
import { noteInMemory } from '../commands/set-command.ts'

/** Prints what a counter or a set is. */
export function printAnswer(answer: string, { json }: ClientOptions): void {
  if (json === true) return print(visibleJson(answer))
  const { value, receipt } = JSON.parse(answer) as ChangeAnswer
  print(visibleJson(JSON.stringify(value)))
  if (receipt !== undefined) noteInMemory(receipt)
}

/** Prints counters or sets: the one under a key, one of its own, or all under keys. */
export async function printStored(
  kind: 'counter' | 'set',
  collection: string,
  key: string | undefined,
  options: ClientOptions,
): Promise<void> {
  const client = await ControlClient.of(options)
  try {
    const { collections } = await client.call<CollectionsAnswer>('/v1/collections')
    const found = collections.find(({ name }) => name === collection)
    if (found !== undefined && found.kind !== kind && found.kind !== `${kind}s`) {
      throw mismatch(`'${collection}' is a ${found.kind}, and no ${kind}`)
    }
    if (key !== undefined && found?.kind === kind) {
      throw mismatch(`'${collection}' is a ${kind} of its own, without keys`)
    }
    if (key !== undefined) return printAnswer(await client.text('/v1/entry', { query: { collection, key } }), options)
    if (found?.kind === kind) {
      const value = kind === 'counter' ? await counterOf(client, collection) : await elementsOf(client, collection)
      return printAnswer(JSON.stringify({ collection, value }), options)
    }
  } finally {
    client.close()
  }
  await runEntries(collection, options)
}

async function counterOf(client: ControlClient, collection: string): Promise<unknown> {
  const { value } = await client.call<Pick<EntryAnswer, 'value'>>('/v1/counter', { query: { collection } })
  return value
}

async function elementsOf(client: ControlClient, collection: string): Promise<unknown[]> {
  const elements: unknown[] = []
  for await (const line of client.lines('/v1/elements', { query: { collection } })) {
    elements.push((JSON.parse(line) as [unknown])[0])
  }
  return elements
}

function mismatch(message: string): CliError {
  return CliError.fromPeer('COLLECTION_MISMATCH', message, 'gossipgrid collections lists what there is.')
}
