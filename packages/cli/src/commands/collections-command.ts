import { Command } from 'commander'
import type { CollectionStatus } from 'gossipgrid'
import type { CollectionsAnswer } from '../control/control-api.ts'
import { ControlClient } from '../control/control-client.ts'
import { collectionShareTable } from '../shares/collection-share-table.ts'
import { shortened } from '../shares/share-texts.ts'
import { colorsFor } from '../terminal/colors.ts'
import type { Colors } from '../terminal/colors.ts'
import { note, print, printJson } from '../terminal/output.ts'
import { bytesText, countOf, countText } from '../terminal/quantities.ts'
import { table } from '../terminal/table.ts'
import { visible } from '../terminal/visible.ts'
import { clientCommand, examples } from './options.ts'
import type { ClientOptions } from './options.ts'

/** `gossipgrid collections`. */
export function collectionsCommand(): Command {
  const command = new Command('collections').description('List collections').action(runCollections)
  return examples(clientCommand(command), [
    ['gossipgrid collections', 'a table'],
    ['gossipgrid collections --json | jq -r .collections[].name', 'only the names'],
  ])
}

async function runCollections(options: ClientOptions): Promise<void> {
  const client = await ControlClient.of(options)
  try {
    const answer = await client.call<CollectionsAnswer>('/v1/collections')
    if (options.json === true) return printJson(answer)
    if (answer.collections.length === 0) return note('no collections yet; the first write to one makes it')
    const colors = colorsFor(process.stdout)
    print(await collectionTable(answer.collections, colors))
    const shares = await collectionShareTable(answer.collections, colors)
    if (shares !== undefined) print(`\n${shares}`)
  } finally {
    client.close()
  }
}

/** One line per collection, with how it compares with other peers. */
export function collectionTable(collections: readonly CollectionStatus[], colors: Colors): Promise<string> {
  return table(
    [
      { title: 'collection' },
      { title: 'entries', align: 'right' },
      { title: 'deleted', align: 'right' },
      { title: 'values', align: 'right' },
      { title: 'fingerprint' },
      { title: 'peers' },
    ],
    collections.map((collection) => [
      shortened(visible(collection.name)),
      entriesText(collection),
      countText(collection.tombstones),
      bytesText(collection.valueBytes),
      collection.fingerprint,
      lagText(collection, colors),
    ]),
    colors,
  )
}

/** Entries that do not fit the schema of the peer's application are hidden. */
function entriesText({ entries, hidden }: CollectionStatus): string {
  return hidden > 0 ? `${countText(entries)} (${countText(hidden)} hidden)` : countText(entries)
}

function lagText({ lags, converged, partitions }: CollectionStatus, colors: Colors): string {
  // No peer has all of it: owners compare with each other, and heartbeats say nothing of that.
  if (partitions !== undefined) return colors.dim('partitioned')
  if (lags.length === 0) return colors.dim('none heard')
  if (converged) return colors.green('equal')
  const behind = Math.max(...lags.map((lag) => lag.behind))
  const ahead = Math.max(...lags.map((lag) => lag.ahead))
  const parts = [
    ...(behind > 0 ? [`${countOf(behind, 'write')} behind`] : []),
    ...(ahead > 0 ? [`${countOf(ahead, 'write')} ahead`] : []),
  ]
  return colors.yellow(parts.join(', '))
}
