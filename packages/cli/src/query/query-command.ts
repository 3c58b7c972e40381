import { Command, Option } from 'commander'
import { CliError, EXIT } from '../cli-error.ts'
import { clientCommand, countParser, examples } from '../commands/options.ts'
import type { ClientOptions } from '../commands/options.ts'
import { ControlClient } from '../control/control-client.ts'
import { inPieces } from '../control/ndjson.ts'
import { PAGE_ROWS_MAX } from '../control/queries/query-answers.ts'
import type { CountAnswer, PlanAnswer, QueryAnswer } from '../control/queries/query-answers.ts'
import { entryTexts } from '../formats/entry-texts.ts'
import type { TaggedEntry } from '../formats/entry-texts.ts'
import { JsonError, parseJson } from '../formats/json/json-fault.ts'
import { interruption, note, print, printJson, write } from '../terminal/output.ts'
import { countOf } from '../terminal/quantities.ts'
import { visible, visibleJson } from '../terminal/visible.ts'

interface QueryOptions extends ClientOptions {
  readonly orderBy?: string
  readonly select?: string
  readonly limit?: number
  readonly csv?: true
  readonly count?: true
  readonly explain?: true
}

/** `gossipgrid query`. */
export function queryCommand(): Command {
  const command = new Command('query')
    .description('Print the entries of a map that match')
    .argument('<collection>', 'name of the map')
    .argument('[where]', 'JSON in the language of MongoDB; default: all')
    .option('--order-by <fields>', 'such as age, or country,-population for the largest first; default: by key')
    .option('--select <fields>', 'only these fields of each value, such as name,address.city')
    .addOption(new Option('--limit <count>', 'at most so many').argParser(countParser(1, Number.MAX_SAFE_INTEGER)))
    .addOption(new Option('--csv', 'as a table for a spreadsheet').conflicts(['json', 'explain']))
    .addOption(new Option('--count', 'only how many').conflicts(['csv', 'limit', 'select']))
    .addOption(
      new Option('--explain', 'only which index is used, and how many entries are looked at').conflicts('count'),
    )
    .action(runQuery)
  return examples(clientCommand(command), [
    [`gossipgrid query users '{"city":"Lyon","age":{"$gte":30}}' --order-by -age --limit 20`, 'key, tab, value'],
    [`gossipgrid query users '{"city":{"$in":["Lyon","Nice"]}}' --count`, 'how many'],
    [`gossipgrid query users '{"tags":"admin"}' --json | jq -r .key`, 'one JSON object a line'],
    [`gossipgrid query users '{"age":{"$lt":18}}' --explain`, 'whether an index would help'],
    ['gossipgrid query users --select name,age --order-by city,-age --csv', 'a sorted table of two fields'],
  ])
}

async function runQuery(collection: string, where: string | undefined, options: QueryOptions): Promise<void> {
  const signal = interruption()
  const query = queryOf(where, options)
  const client = await ControlClient.of(options)
  const call = <Answer>(path: string, body: object): Promise<Answer> =>
    client.call<Answer>(path, { method: 'POST', query: { collection }, body: JSON.stringify(body), signal })
  try {
    if (options.count === true) return printCount(await call<CountAnswer>('/v1/query-count', query), options)
    if (options.explain === true) {
      const page = {
        ...query,
        ...(options.limit === undefined ? {} : { limit: Math.min(options.limit, PAGE_ROWS_MAX) }),
      }
      return printPlan(await call<PlanAnswer>('/v1/query-plan', page), options)
    }
    const rows = (): AsyncGenerator<TaggedEntry, void, undefined> =>
      rowsOf((page) => call<QueryAnswer>('/v1/query', { ...query, ...page }), options.limit ?? Infinity)
    for await (const piece of inPieces(texts(rows, options))) await write(piece)
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    client.close()
  }
  if (signal.aborted) process.exitCode = EXIT.interrupted
}

/** The query as tagged JSON. The peer checks it. */
function queryOf(where: string | undefined, { orderBy, select }: QueryOptions): object {
  const fieldsOf = (list: string): string[] => list.split(',').map((field) => field.trim())
  const rest = {
    ...(orderBy === undefined ? {} : { orderBy: fieldsOf(orderBy) }),
    ...(select === undefined ? {} : { select: fieldsOf(select) }),
  }
  if (where === undefined) return rest
  try {
    return { where: parseJson(where), ...rest }
  } catch (error) {
    const fault = error instanceof JsonError ? error.message : `is no JSON: ${(error as Error).message}`
    throw new CliError('USAGE', `the condition ${fault}`, `Quote it for the shell, as in '{"city":"Lyon"}'.`)
  }
}

/** All rows, page by page, so that neither side has all of them in memory. */
async function* rowsOf(
  ask: (page: { readonly limit: number; readonly after?: string }) => Promise<QueryAnswer>,
  limit: number,
): AsyncGenerator<TaggedEntry, void, undefined> {
  let left = limit
  for (let after: string | undefined; left > 0;) {
    const page = { limit: Math.min(left, PAGE_ROWS_MAX), ...(after === undefined ? {} : { after }) }
    const { rows, next, complete } = await ask(page)
    yield* rows
    if (!complete) note('a part of the map did not answer: rows are missing')
    left -= rows.length
    after = next
    if (after === undefined) return
  }
}

async function* texts(
  rows: () => AsyncGenerator<TaggedEntry, void, undefined>,
  { json, csv }: QueryOptions,
): AsyncGenerator<string, void, undefined> {
  if (csv === true || json === true) return yield* entryTexts(csv === true ? 'csv' : 'ndjson', rows, undefined)
  for await (const [key, value] of rows()) yield `${visible(key)}\t${visibleJson(JSON.stringify(value))}\n`
}

function printCount(answer: CountAnswer, { json }: QueryOptions): void {
  if (json === true) return printJson(answer)
  print(String(answer.count))
  if (answer.complete === false) note('a part of the map did not answer: its entries are not counted')
}

function printPlan(plan: PlanAnswer, { json }: QueryOptions): void {
  if (json === true) return printJson(plan)
  const { index, ordered, looked, given } = plan
  const order = ordered ? ', which has the rows in order' : ''
  print(`index    ${index === undefined ? 'none: every entry is looked at' : visible(index.join(', ')) + order}`)
  print(`looked   ${looked}`)
  print(`given    ${given}`)
  for (const peer of plan.peers ?? [])
    print(`peer     ${peer.peerId} looked at ${peer.looked} in ${countOf(peer.partitions, 'partition', 'partitions')}`)
  if (plan.complete === false) note('a part of the map did not answer')
}
