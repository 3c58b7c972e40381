import { describe, expect, it } from 'vitest'
import { HEAD_MAX_BYTES, HeadReader, REFUSAL, answerTo, requestTo } from './handshake.ts'

const REQUEST = [
  'GET /chat HTTP/1.1',
  'Host: server.example.com',
  'Upgrade: WebSocket',
  'Connection: keep-alive, Upgrade',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Version: 13',
]

describe('the agreement on a WebSocket', () => {
  it('answers the example of RFC 6455 as it says', () => {
    expect(answerTo(REQUEST.join('\r\n'))).toBe(
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
        'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n',
    )
  })

  it('answers no other request, and none that lacks a line', () => {
    for (let i = 2; i < REQUEST.length; i += 1) expect(answerTo(REQUEST.toSpliced(i, 1).join('\r\n'))).toBe(undefined)
    const refused = ['', 'GET / HTTP/1.1', 'POST', '\0', ':', REQUEST.join('\r\n').replace('GET', 'POST')]
    for (const head of refused) expect(answerTo(head)).toBe(undefined)
    const twoKeys = [...REQUEST, 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==']
    expect(answerTo(twoKeys.join('\r\n'))).toBe(undefined)
  })

  it('says the length of its refusal', () => {
    const [head = '', body = ''] = REFUSAL.split('\r\n\r\n')
    expect(head).toContain(`Content-Length: ${body.length}`)
  })

  it('takes the answer to its own request, and no other', () => {
    const [{ request, accepts }, other] = [requestTo('localhost:80'), requestTo('localhost:80')]
    const answer = answerTo(request.replace('\r\n\r\n', '')) as string
    expect(accepts(answer)).toBe(true)
    expect(other.accepts(answer)).toBe(false)
    expect(accepts(answer.replace('101', '200'))).toBe(false)
    expect(accepts(`${answer}Sec-WebSocket-Extensions: permessage-deflate\r\n`)).toBe(false)
  })
})

describe('a head', () => {
  const bytes = Buffer.from(`${REQUEST.join('\r\n')}\r\n\r\nrest`)

  it('is read however it is cut, and what follows it is kept', () => {
    for (let size = Math.ceil(bytes.length / 30); size <= bytes.length; size += 1) {
      const reader = new HeadReader()
      let read: ReturnType<HeadReader['read']>
      let at = 0
      for (; read === undefined; at += size) read = reader.read(bytes.subarray(at, at + size))
      expect(read.head).toBe(REQUEST.join('\r\n'))
      expect(Buffer.concat([read.rest, bytes.subarray(at)]).toString()).toBe('rest')
    }
  })

  it('is not read in many pieces', () => {
    const reader = new HeadReader()
    const drip = (): void => {
      for (const byte of bytes) reader.read(Uint8Array.of(byte))
    }
    expect(drip).toThrow('too many pieces')
  })

  it('is read to its limit and no further', () => {
    const long = (sizeBytes: number): Buffer => Buffer.from(`${'a'.repeat(sizeBytes - 4)}\r\n\r\n`)
    expect(new HeadReader().read(long(HEAD_MAX_BYTES))?.head).toHaveLength(HEAD_MAX_BYTES - 4)
    expect(() => new HeadReader().read(long(HEAD_MAX_BYTES + 1))).toThrow('too long')
  })
})
