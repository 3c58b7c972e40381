import { GridError } from 'gossipgrid'
import type { Grid, LeaveProgress } from 'gossipgrid'
import type { Context, Hono } from 'hono'
import { CliError } from '../../cli-error.ts'
import type { LineStreams } from './partitioned-routes.ts'

/** One line of an answer to `leave`: what is left; the last one says how it ended. */
export type LeaveLine =
  | LeaveProgress
  | { readonly left: true }
  | { readonly failed: { readonly code: string; readonly message: string } }

export interface BegunAgain {
  readonly collection: string
  /** Partitions that begin again. */
  readonly partitions: number
}

export interface LeaveRoutesDeps {
  /** Ends calls under way. */
  readonly closing: AbortSignal
  /** The peer has left the grid. */
  readonly left: () => void
  readonly streams: Pick<LineStreams, 'endLine' | 'streamed'>
}

/** The calls that take a peer out of the grid, and that let lost partitions begin again. */
export function addLeaveRoutes(app: Hono, grid: Grid, { closing, left, streams }: LeaveRoutesDeps): void {
  app.post('/v1/leave', (c) => {
    const stop = new AbortController()
    const timeoutMs = c.req.query('timeoutMs')
    const options = {
      signal: AbortSignal.any([closing, stop.signal]),
      ...(timeoutMs === undefined ? {} : { timeoutMs: Number(timeoutMs) }),
    }
    return streams.streamed(linesOf(grid, options, left, streams), () => stop.abort())
  })
  app.post('/v1/begin-again', (c) => beginAgain(c, grid))
}

async function* linesOf(
  grid: Grid,
  options: { readonly signal: AbortSignal; readonly timeoutMs?: number },
  left: () => void,
  { endLine }: Pick<LineStreams, 'endLine'>,
): AsyncGenerator<string, void, undefined> {
  let latest: LeaveProgress | undefined
  let progressed = Promise.withResolvers<void>()
  const onProgress = (progress: LeaveProgress): void => {
    latest = progress
    progressed.resolve()
  }
  const leaving = grid.leave({ ...options, onProgress }).then(
    (): LeaveLine => {
      // Also if the caller has gone. Otherwise the server waits until it has the answer.
      left()
      return { left: true }
    },
    (error: unknown): LeaveLine => ({ failed: failureOf(error) }),
  )
  let sent = 0
  for (;;) {
    const ended = await Promise.race([leaving, progressed.promise])
    const line = ended ?? latest!
    progressed = Promise.withResolvers()
    yield `${JSON.stringify(line)}\n`
    sent += 1
    if (ended !== undefined) break
  }
  yield endLine(sent, '', {})
}

function failureOf(error: unknown): { readonly code: string; readonly message: string } {
  if (!(error instanceof GridError)) return { code: 'INTERNAL', message: String(error) }
  return { code: error.code, message: error.message }
}

async function beginAgain(c: Context, grid: Grid): Promise<Response> {
  const collection = c.req.query('collection')
  if (collection === undefined) throw new CliError('USAGE', 'the parameter collection is missing')
  const known = grid.collections().find(({ name }) => name === collection)
  if (known?.partitions === undefined) {
    const advice = 'gossipgrid collections lists what there is.'
    throw new CliError('NOT_FOUND', `no partitioned collection '${collection}' is known to this peer`, advice)
  }
  const answer: BegunAgain = { collection, partitions: await grid.beginAgain(collection) }
  return c.json(answer)
}
