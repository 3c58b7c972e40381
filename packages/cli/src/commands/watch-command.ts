import { Command, Option } from 'commander'
import { CliError } from '../cli-error.ts'
import type { ChangeLine, CollectionsAnswer } from '../control/control-api.ts'
import { ControlClient } from '../control/control-client.ts'
import { CursorFile } from '../files/cursor-file.ts'
import { colorsFor } from '../terminal/colors.ts'
import type { Colors } from '../terminal/colors.ts'
import { interruption, note, write } from '../terminal/output.ts'
import { visible, visibleJson } from '../terminal/visible.ts'
import { clientCommand, examples } from './options.ts'
import type { ClientOptions } from './options.ts'

interface WatchOptions extends ClientOptions {
  readonly initial?: true
  readonly since?: string
  readonly cursor?: string
  readonly prefix?: string
  readonly key?: string
}

type Failed = Extract<ChangeLine, { type: 'failed' }>

/** Errors of a cursor that was right once, by which the peer cannot go on now. */
const NOT_RESUMABLE: ReadonlySet<string> = new Set(['CURSOR_EXPIRED', 'TOKEN_TIMEOUT'])

/** `gossipgrid watch`. */
export function watchCommand(): Command {
  const command = new Command('watch')
    .description('Print changes as they come, until Ctrl-C')
    .argument('<collection>', 'name of the collection')
    .option('--initial', 'print the present entries first')
    .addOption(
      new Option('--since <cursor>', 'maps: go on after the change that had this cursor').conflicts([
        'initial',
        'cursor',
        'key',
      ]),
    )
    .addOption(
      new Option('--cursor <file>', 'maps: keep the cursor in a file, and go on from there the next time').conflicts([
        'initial',
        'key',
      ]),
    )
    .option('--prefix <text>', 'only keys with this prefix')
    .addOption(new Option('--key <key>', 'only this key').conflicts('prefix'))
    .action(runWatch)
  return examples(clientCommand(command), [
    ['gossipgrid watch users', 'from now on'],
    ['gossipgrid watch users --initial --prefix a', 'with what is there'],
    ['gossipgrid watch users --json | jq .key', 'one JSON object a line'],
    ['gossipgrid watch users --cursor users.cursor', 'goes on where it was the next time'],
  ])
}

async function runWatch(collection: string, options: WatchOptions): Promise<void> {
  const signal = interruption()
  const file = options.cursor === undefined ? undefined : new CursorFile(options.cursor)
  const client = await ControlClient.of(options)
  try {
    let since = options.since ?? file?.read()
    if (file !== undefined && since === undefined) {
      note(`there is no cursor in ${options.cursor} yet; beginning with the whole collection`, options.json)
    }
    const { collections } = await client.call<CollectionsAnswer>('/v1/collections')
    if (!collections.some(({ name }) => name === collection)) {
      note(`'${collection}' has no entries yet; waiting for the first`, options.json)
    }
    const watch = new Watch({ client, collection, options, file, signal })
    while (!signal.aborted) {
      const failure = await watch.run(since)
      if (failure === undefined) break
      note(`the watch cannot go on from this cursor: ${failure.message}`, options.json)
      note('beginning with the whole collection; what does not come is not there any more', options.json)
      await watch.printReset(failure.code)
      since = undefined
    }
    // Only an interruption is an end that was wanted.
    if (!signal.aborted) throw new CliError('PEER_GONE', 'the peer has closed', watch.advice)
    if (file === undefined && watch.cursor !== undefined)
      note(`to go on after this: --since ${watch.cursor}`, options.json)
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    client.close()
    file?.flush()
  }
}

interface WatchDeps {
  readonly client: ControlClient
  readonly collection: string
  readonly options: WatchOptions
  readonly file: CursorFile | undefined
  readonly signal: AbortSignal
}

class Watch {
  readonly #deps: WatchDeps
  readonly #colors = colorsFor(process.stdout)
  #cursor: string | undefined

  constructor(deps: WatchDeps) {
    this.#deps = deps
  }

  /** The last one. */
  get cursor(): string | undefined {
    return this.#cursor
  }

  /** How to go on after the peer has closed. */
  get advice(): string {
    const again = this.#deps.file === undefined ? 'watch again with --initial' : 'run the same command again to go on'
    return `Start it again, and ${again}.`
  }

  /**
   * Prints changes until the peer closes or the signal comes. Resolves to the failure if the peer cannot go on from the
   * cursor.
   */
  async run(since: string | undefined): Promise<Failed | undefined> {
    const { client, collection, options, file, signal } = this.#deps
    const { initial, prefix, key } = options
    const query = { collection, initial, prefix, key }
    const resumed = options.since !== undefined || file !== undefined
    const call = resumed ? ({ method: 'POST', body: JSON.stringify({ since }) } as const) : {}
    for await (const line of client.lines('/v1/changes', { query, signal, ...call })) {
      if (signal.aborted) break
      const change = JSON.parse(line) as ChangeLine
      if (change.type === 'failed') {
        if (since !== undefined && NOT_RESUMABLE.has(change.code)) return change
        throw CliError.fromPeer(change.code, change.message, this.#adviceOn(change, since))
      }
      await write(`${options.json === true ? visibleJson(line) : readable(change, this.#colors)}\n`)
      if (change.type === 'lagged' || change.cursor === undefined) continue
      // Only now: what was not printed has to come again.
      this.#cursor = change.cursor
      file?.save(change.cursor)
    }
    return undefined
  }

  /** Says that the whole collection follows. */
  async printReset(reason: string): Promise<void> {
    const reset = `${this.#colors.yellow('reset')}   what follows is the whole collection`
    await write(`${this.#deps.options.json === true ? JSON.stringify({ type: 'reset', reason }) : reset}\n`)
  }

  #adviceOn({ code }: Failed, since: string | undefined): string {
    const { file, options } = this.#deps
    if (code === 'COLLECTION_DROPPED') return 'Run the same command again to watch what has this name now.'
    if (since === undefined) return ''
    if (file === undefined) return 'Watch with --initial to begin with the whole collection.'
    return `Name another file with --cursor, or remove ${options.cursor} to begin with the whole collection.`
  }
}

function readable(change: Exclude<ChangeLine, Failed>, colors: Colors): string {
  switch (change.type) {
    case 'set':
      return `${colors.green('set')}     ${visible(change.key)}  ${visibleJson(JSON.stringify(change.value))}`
    case 'delete':
      return `${colors.red('delete')}  ${visible(change.key)}`
    case 'reset':
      return `${colors.yellow('reset')}   partition ${change.partition}: what follows is all of it`
    case 'lagged':
      return `${colors.yellow('lagged')}  ${change.missed} changes were left out: this reader is too slow`
  }
}
