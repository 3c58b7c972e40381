import type { GridMap, IndexHandle, PartitionIndexHandle, PartitionedMap, Query } from 'gossipgrid'
import { GridError } from 'gossipgrid'
import type { Context, Hono } from 'hono'
import { CliError } from '../../cli-error.ts'
import { parseTagged, toTagged } from '../../formats/json/tagged-json.ts'
import { PAGE_ROWS_MAX } from './query-answers.ts'
import type { CountAnswer, IndexAnswer, IndexesAnswer, PlanAnswer, QueryAnswer } from './query-answers.ts'

type AnyMap = GridMap<unknown> | PartitionedMap<unknown>

/** The calls about queries. `mapOf` gives the map that a call names, and throws if there is none. */
export function addQueryRoutes(app: Hono, mapOf: (c: Context) => AnyMap): void {
  app.post('/v1/query', async (c) => {
    const map = mapOf(c)
    const query = await bodyOf(c)
    const { rows, complete, next } = await map.query({
      ...query,
      limit: Math.min(query.limit ?? Infinity, PAGE_ROWS_MAX),
    })
    const answer: QueryAnswer = {
      rows: rows.map(({ key, value }) => [key, toTagged(value)]),
      complete,
      ...(next === undefined ? {} : { next }),
    }
    return c.json(answer as object)
  })
  app.post('/v1/query-count', async (c) => {
    const counted = await mapOf(c).count((await bodyOf(c)).where)
    const answer: CountAnswer = typeof counted === 'number' ? { count: counted } : counted
    return c.json(answer)
  })
  app.post('/v1/query-plan', async (c) => {
    const answer: PlanAnswer = await mapOf(c).explain(await bodyOf(c))
    return c.json(answer)
  })
  app.get('/v1/indexes', async (c) => c.json(await indexesOf(mapOf(c))))
  app.post('/v1/indexes', async (c) => {
    return c.json(answerOf(await mapOf(c).index(await fieldsOf(c))))
  })
  app.post('/v1/indexes-dropped', async (c) => {
    const map = mapOf(c)
    const fields = await fieldsOf(c)
    const found = (await map.indexes()).find(({ names }) => names.join('\0') === fields.join('\0'))
    if (found === undefined)
      throw new CliError('NOT_FOUND', `this peer knows no index of '${map.name}' on ${fields.join(', ')}`)
    const answer = answerOf(found)
    await found.drop()
    return c.json(answer)
  })
}

async function indexesOf(map: AnyMap): Promise<IndexesAnswer> {
  const indexes = (await map.indexes()).map(answerOf)
  return { collection: map.name, indexes }
}

function answerOf(index: IndexHandle | PartitionIndexHandle): IndexAnswer {
  return { fields: index.names, ...('size' in index ? { size: index.size } : {}) }
}

/** The query in the body: tagged JSON, which `query` of the map checks. */
async function bodyOf(c: Context): Promise<Query<unknown>> {
  const body = tagged(await c.req.text())
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body
  throw new GridError('INVALID_QUERY', 'the query: an object')
}

async function fieldsOf(c: Context): Promise<string[]> {
  const body = tagged(await c.req.text())
  if (Array.isArray(body) && body.every((field) => typeof field === 'string')) return body
  throw new GridError('INVALID_QUERY', 'index: an array of the names of fields')
}

function tagged(text: string): unknown {
  try {
    return parseTagged(text)
  } catch (error) {
    throw new GridError('INVALID_QUERY', `the query: ${(error as Error).message}`, { cause: error })
  }
}
