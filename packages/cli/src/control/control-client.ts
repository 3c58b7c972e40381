import { Agent, request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { CliError, systemCode } from '../cli-error.ts'
import { textLines } from '../formats/json/lines.ts'
import type { ErrorAnswer, StreamEnd } from './control-api.ts'
import { choosePeer } from './running-peer.ts'
import type { PeerChoice } from './running-peer.ts'

/** An entry with merged fields can be larger than any single written value. V8 allows texts of half a gigabyte. */
const LINE_MAX_BYTES = 256 * 1024 * 1024

type Query = Readonly<Record<string, string | number | boolean | undefined>>

interface Call {
  readonly method?: 'GET' | 'PUT' | 'POST' | 'DELETE'
  readonly query?: Query
  /** JSON text. */
  readonly body?: string
  readonly signal?: AbortSignal
}

/** Calls a running peer. */
export class ControlClient {
  readonly socket: string
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 16 })

  constructor(socket: string) {
    this.socket = socket
  }

  /** A client of the peer that the options select. Rejects with `NO_PEER` or `SEVERAL_PEERS`. */
  static async of(choice: PeerChoice): Promise<ControlClient> {
    return new ControlClient(await choosePeer(choice))
  }

  /** Requests one answer. Throws the peer's error, `NO_PEER` or `PEER_GONE`. */
  async call<Answer>(path: string, call: Call = {}): Promise<Answer> {
    const text = await this.text(path, call)
    return JSON.parse(text) as Answer
  }

  /** Like `call`, but returns the peer's answer as text. */
  async text(path: string, call: Call = {}): Promise<string> {
    const response = await this.#send(path, call)
    return this.#read(response)
  }

  /**
   * Requests a stream of lines. Throws like `call`, `PEER_GONE` if the stream is cut off, and `COLLECTION_DROPPED` at the end of one
   * that may lack entries for it.
   */
  async *lines(path: string, call: Call = {}): AsyncGenerator<string, void, undefined> {
    const response = await this.#send(path, call)
    let end: string | undefined
    try {
      for await (const line of textLines(response, LINE_MAX_BYTES)) {
        if (line.startsWith('{"end":')) {
          end = line
          break
        }
        if (line !== '') yield line
      }
    } catch (error) {
      if (call.signal?.aborted === true) return
      throw brokenStream(error)
    } finally {
      response.destroy()
    }
    if (end !== undefined) checkEnd(JSON.parse(end) as StreamEnd)
    else if (call.signal?.aborted !== true) throw gone(undefined)
  }

  close(): void {
    this.#agent.destroy()
  }

  async #send(path: string, call: Call): Promise<IncomingMessage> {
    const query = new URLSearchParams()
    for (const [name, value] of Object.entries(call.query ?? {})) {
      if (value !== undefined) query.set(name, String(value))
    }
    const body = call.body === undefined ? undefined : Buffer.from(call.body)
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const sent = request({
        agent: this.#agent,
        socketPath: this.socket,
        path: `${path}?${query.toString()}`,
        method: call.method ?? 'GET',
        headers: {
          host: 'gossipgrid',
          ...(body === undefined ? {} : { 'content-type': 'application/json', 'content-length': body.length }),
        },
        ...(call.signal === undefined ? {} : { signal: call.signal }),
      })
      sent.once('response', resolve)
      sent.once('error', (error) => reject(this.#failure(error)))
      sent.end(body)
    })
    if (response.statusCode === 200) return response
    throw errorIn(await this.#read(response))
  }

  async #read(response: IncomingMessage): Promise<string> {
    const chunks: Buffer[] = []
    try {
      for await (const chunk of response) chunks.push(chunk as Buffer)
    } catch (error) {
      throw gone(error)
    }
    return Buffer.concat(chunks).toString()
  }

  #failure(error: Error): CliError | Error {
    const code = systemCode(error)
    if (['ENOENT', 'ENOTDIR', 'ECONNREFUSED'].includes(code)) {
      return new CliError(
        'NO_PEER',
        `no peer answers at ${this.socket}`,
        'It may have been closed. Start it again, or check --socket and GOSSIPGRID_SOCKET.',
        { cause: error },
      )
    }
    if (code === 'EACCES' || code === 'EPERM') {
      return new CliError(
        'NO_PEER',
        `the socket ${this.socket} belongs to another user`,
        'Run the command as the user who runs the peer, for instance with sudo -u.',
        { cause: error },
      )
    }
    if (code === 'ENOTSOCK') return new CliError('NO_PEER', `${this.socket} is no socket of a peer`, 'Check --socket.')
    return error.name === 'AbortError' ? error : gone(error)
  }
}

function checkEnd({ dropped }: StreamEnd): void {
  if (dropped === undefined) return
  const advice = 'Some of its entries may be missing. Run the command again to read what has this name now.'
  throw CliError.fromPeer('COLLECTION_DROPPED', `'${dropped}' was dropped while it was read`, advice)
}

function gone(cause: unknown): CliError {
  return new CliError(
    'PEER_GONE',
    'the peer went away before it had answered',
    'Start it again and repeat the command.',
    {
      cause,
    },
  )
}

function brokenStream(error: unknown): CliError {
  if (error instanceof RangeError) {
    const advice = 'Read other entries with --prefix, and this one with the SDK.'
    return CliError.fromPeer('VALUE_TOO_LARGE', `an entry is too long as JSON: ${error.message}`, advice)
  }
  if (error instanceof TypeError) {
    return new CliError(
      'NO_PEER',
      `what answers on the socket is no gossipgrid peer: ${error.message}`,
      'Check --socket.',
    )
  }
  return gone(error)
}

function errorIn(text: string): CliError {
  try {
    const { error } = JSON.parse(text) as ErrorAnswer
    return CliError.fromPeer(error.code, error.message, error.advice)
  } catch (cause) {
    return new CliError('NO_PEER', 'what answers on the socket is no gossipgrid peer', 'Check --socket.', { cause })
  }
}
