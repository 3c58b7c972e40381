import type { StreamEnd } from './control-api.ts'

/** Lines are sent in pieces of about this size. */
const PIECE_MAX_CHARACTERS = 64 * 1024
const NDJSON_TYPE = 'application/x-ndjson'

/** The last line of a stream of what a collection has. One that was dropped on the way may have had more. */
export function endLine(sent: number, name: string, { isDropped = false }: { readonly isDropped?: boolean }): string {
  const end: StreamEnd = isDropped ? { end: sent, dropped: name } : { end: sent }
  return `${JSON.stringify(end)}\n`
}

/** Joins short texts into larger pieces. */
export async function* inPieces(lines: AsyncIterable<string>): AsyncGenerator<string, void, undefined> {
  let piece = ''
  for await (const line of lines) {
    piece += line
    if (piece.length < PIECE_MAX_CHARACTERS) continue
    yield piece
    piece = ''
  }
  if (piece !== '') yield piece
}

/**
 * A response that sends texts as fast as the reader reads them. When the reader goes, `stop` is called. It must end the
 * iteration even where that is waiting.
 */
export function streamed(pieces: AsyncIterable<string>, stop: () => void): Response {
  const iterator = pieces[Symbol.asyncIterator]()
  const encoder = new TextEncoder()
  const body = new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        try {
          const next = await iterator.next()
          if (next.done === true) controller.close()
          else controller.enqueue(encoder.encode(next.value))
        } catch (error) {
          controller.error(error)
        }
      },
      cancel: async () => {
        stop()
        await iterator.return?.().catch(() => undefined)
      },
    },
    { highWaterMark: 0 },
  )
  // Sent now, so that the server sends each piece at once instead of waiting for the end of a short body.
  return new Response(body, { headers: { 'content-type': NDJSON_TYPE, 'transfer-encoding': 'chunked' } })
}
