import { createHash, randomBytes } from 'node:crypto'

/** The largest head of a request or an answer. */
export const HEAD_MAX_BYTES = 8192
/** How many pieces a head may come in. Each piece costs as much work as hundreds of bytes. */
const HEAD_CHUNKS_MAX = 32
/** Fixed by RFC 6455. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const HEAD_END = '\r\n\r\n'

/** Collects the head of an HTTP message, however it is cut into pieces. */
export class HeadReader {
  readonly #head = Buffer.allocUnsafe(HEAD_MAX_BYTES)
  #sizeBytes = 0
  #chunks = 0

  /** The head and the bytes after it, once the head is complete. Throws if it is too long or comes in too many pieces. */
  read(chunk: Uint8Array): { readonly head: string; readonly rest: Uint8Array } | undefined {
    const startBytes = this.#sizeBytes
    const taken = chunk.subarray(0, HEAD_MAX_BYTES - startBytes)
    this.#head.set(taken, startBytes)
    this.#sizeBytes += taken.length
    const searched = Math.max(0, startBytes - HEAD_END.length)
    const end = this.#head.subarray(0, this.#sizeBytes).indexOf(HEAD_END, searched)
    if (end !== -1) {
      return {
        head: this.#head.toString('latin1', 0, end),
        rest: chunk.subarray(end + HEAD_END.length - startBytes),
      }
    }
    if (this.#sizeBytes === HEAD_MAX_BYTES) throw new Error('the head of the message is too long')
    this.#chunks += 1
    if (this.#chunks === HEAD_CHUNKS_MAX) throw new Error('the head of the message comes in too many pieces')
    return undefined
  }
}

/** The whole answer to a request for a WebSocket. Undefined for any other request. */
export function answerTo(head: string): string | undefined {
  const { first, headers } = parseHead(head)
  const key = headers.get('sec-websocket-key') ?? ''
  const opens =
    /^GET [^ ]+ HTTP\/1\.1$/.test(first) &&
    headers.get('upgrade')?.toLowerCase() === 'websocket' &&
    hasToken(headers.get('connection'), 'upgrade') &&
    headers.get('sec-websocket-version') === '13' &&
    /^[A-Za-z0-9+/]{22}==$/.test(key)
  if (!opens) return undefined
  return [
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${acceptOf(key)}`,
    HEAD_END.slice(2),
  ].join('\r\n')
}

/** The answer to every other request. */
export const REFUSAL: string = [
  'HTTP/1.1 400 Bad Request',
  'Content-Type: text/plain',
  'Content-Length: 42',
  'Connection: close',
  '',
  'Only WebSocket connections are supported.\n',
].join('\r\n')

/** A request that opens a WebSocket at `host`, and whether an answer accepts it. */
export function requestTo(host: string): { readonly request: string; accepts(head: string): boolean } {
  const key = randomBytes(16).toString('base64')
  const request = [
    'GET / HTTP/1.1',
    `Host: ${host}`,
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Key: ${key}`,
    'Sec-WebSocket-Version: 13',
    HEAD_END.slice(2),
  ].join('\r\n')
  return {
    request,
    accepts: (head) => {
      const { first, headers } = parseHead(head)
      return (
        /^HTTP\/1\.1 101( |$)/.test(first) &&
        headers.get('upgrade')?.toLowerCase() === 'websocket' &&
        hasToken(headers.get('connection'), 'upgrade') &&
        headers.get('sec-websocket-accept') === acceptOf(key) &&
        !headers.has('sec-websocket-extensions')
      )
    },
  }
}

/** A header that comes twice counts as none. `Map` would keep the last value, so the values are joined. */
function parseHead(head: string): { readonly first: string; readonly headers: ReadonlyMap<string, string> } {
  const [first = '', ...lines] = head.split('\r\n')
  const headers = new Map<string, string>()
  for (const line of lines) {
    const colon = line.indexOf(':')
    if (colon < 1) continue
    const name = line.slice(0, colon).toLowerCase()
    const value = line.slice(colon + 1).trim()
    const earlier = headers.get(name)
    headers.set(name, earlier === undefined ? value : `${earlier}, ${value}`)
  }
  return { first, headers }
}

function hasToken(value: string | undefined, token: string): boolean {
  return (value ?? '').split(',').some((part) => part.trim().toLowerCase() === token)
}

function acceptOf(key: string): string {
  return createHash('sha1')
    .update(key + GUID)
    .digest('base64')
}
