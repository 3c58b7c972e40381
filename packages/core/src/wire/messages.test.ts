import { expect, test } from 'vitest'
import { ByteWriter } from '../bytes/bytes.ts'
import { decodeValue, encodeValue } from '../bytes/cbor.ts'
import { GridError } from '../errors.ts'
import type { GridErrorCode } from '../errors.ts'
import {
  ADDRESSES_MAX,
  ADDRESS_MAX_BYTES,
  KEY_MAX_BYTES,
  MEMBERS_MAX,
  MESSAGE_MAX_BYTES,
  PRESENCE_MAX_BYTES,
  QUERY_ANSWER_MAX_BYTES,
  QUESTION_MAX_BYTES,
  TOPIC_MESSAGES_MAX,
  TOPIC_MESSAGE_MAX_BYTES,
} from '../limits.ts'
import type { MemberRecord } from './member-record.ts'
import { WIRE_VERSION, decodeMessage, encodeMessage } from './messages.ts'
import type { Message } from './messages.ts'
import { SeededRandom, mutated } from '../bytes/seeded-random.ts'

const hash = '0123456789abcdef'
const block = Uint8Array.of(1, 2, 3, 255)

const member: MemberRecord = {
  peerId: '12D3KooWpeer',
  incarnation: 1_764_000_000_000,
  revision: 3,
  role: 'storage',
  weight: 0.5,
  zone: 'eu',
  addresses: ['/ip4/127.0.0.1/tcp/4001'],
  software: 'gossipgrid 0.1',
  replicaId: hash,
  left: false,
}
const presence = { incarnation: 1_764_000_000_000, revision: 2, value: encodeValue({ cursor: [1, 2] }, 100) }
const part = { collection: 'users', kind: 1, partition: 0, fingerprint: hash, vector: Uint8Array.of(0) }

const messages: { readonly [type in Message['type']]: Extract<Message, { type: type }> } = {
  frame: { type: 'frame', block },
  announce: { type: 'announce', member, root: hash, bulk: true, parts: [part] },
  still: { type: 'still' },
  hello: { type: 'hello', members: [member, { ...member, peerId: 'other', role: 'light', left: true }] },
  goodbye: { type: 'goodbye', left: true },
  digest: { type: 'digest', session: 0xffffffff, root: hash },
  equal: { type: 'equal', session: 0 },
  vectors: { type: 'vectors', session: 7, ask: true, parts: [part, { ...part, collection: '__proto__' }] },
  chunk: { type: 'chunk', session: 7, index: 3, last: false, block },
  'chunk-ack': { type: 'chunk-ack', session: 7, index: 3 },
  stop: { type: 'stop', session: 7, reason: 'no progress' },
  confirm: { type: 'confirm', request: 1, collection: 'users', partition: 0, replicaId: hash, sequence: 0xffffffff },
  confirmed: { type: 'confirmed', request: Number.MAX_SAFE_INTEGER },
  covers: { type: 'covers', request: 3, parts: [part] },
  covered: { type: 'covered', request: 3, covered: Uint8Array.of(5, 0) },
  write: { type: 'write', request: 4, view: hash, reissue: true, block },
  written: { type: 'written', request: 4, outcomes: Uint8Array.of(0, 4), heads: [7], audience: ['12D3KooWpeer'] },
  read: {
    type: 'read',
    request: 5,
    parts: [{ collection: 'users', kind: 1, partition: 16, origin: hash, keys: ['k\u0000'] }],
    passed: true,
    former: true,
    own: true,
  },
  found: { type: 'found', request: 5, outcomes: Uint8Array.of(0), block },
  scan: {
    type: 'scan',
    request: 6,
    collection: 'users',
    kind: 1,
    partition: 16,
    origin: hash,
    after: '',
    prefix: 'k\u0000',
    keysMax: 1024,
    passed: true,
    former: true,
  },
  page: { type: 'page', request: 6, answered: true, end: 'k\u0000', block },
  count: {
    type: 'count',
    request: 7,
    collection: 'users',
    kind: 1,
    origin: hash,
    partitions: [16, 31],
    passed: true,
    former: true,
  },
  counted: { type: 'counted', request: 7, outcomes: Uint8Array.of(0, 1), counts: [3, 0] },
  query: {
    type: 'query',
    request: 9,
    collection: 'users',
    kind: 1,
    origin: hash,
    partitions: [16, 31],
    question: encodeValue({ rows: { where: { a: 1 } } }, 100),
    passed: true,
    former: true,
  },
  result: { type: 'result', request: 9, outcomes: Uint8Array.of(0, 1), answer: Uint8Array.of(0xa0), block },
  follow: {
    type: 'follow',
    request: 8,
    collection: 'users',
    kind: 1,
    partition: 16,
    origin: hash,
    since: Uint8Array.of(1, 2),
    initial: true,
    prefix: 'k\u0000',
    exact: true,
    passed: true,
  },
  followed: { type: 'followed', request: 8, answered: true, since: Uint8Array.of(1), reset: true, more: true, block },
  publish: {
    type: 'publish',
    messages: [
      { topic: 'chat', value: encodeValue({ text: 'hi' }, 100) },
      { topic: '__proto__', value: Uint8Array.of(0xf6) },
    ],
  },
  presence: { type: 'presence', presence },
}

function refused(bytes: Uint8Array, code: GridErrorCode = 'MESSAGE_MALFORMED'): void {
  expect(() => decodeMessage(bytes)).toThrow(expect.objectContaining({ name: 'GridError', code }))
}

/** A message with any header and body, and lengths that are true. */
function crafted(header: unknown, body: Uint8Array = new Uint8Array(0)): Uint8Array {
  const bytes = encodeValue(header, MESSAGE_MAX_BYTES)
  const writer = new ByteWriter()
  writer.byte(WIRE_VERSION)
  writer.varint(bytes.length)
  writer.raw(bytes)
  writer.raw(body)
  return writer.copy()
}

const OPTIONAL: Partial<Record<Message['type'], readonly string[]>> = {
  write: ['reissue'],
  written: ['audience'],
  read: ['passed', 'former', 'own'],
  scan: ['origin', 'passed', 'former'],
  page: ['end'],
  count: ['origin', 'passed', 'former'],
  query: ['origin', 'passed', 'former'],
  follow: ['origin', 'since', 'initial', 'exact', 'passed'],
  followed: ['reset', 'more'],
}

for (const message of Object.values(messages)) {
  const { type } = message
  const carriesBlock = ['frame', 'chunk', 'write', 'found', 'page', 'result', 'followed'].includes(type)
  const optional = OPTIONAL[type] ?? []

  test(`a ${type} message survives the way`, () => {
    expect(decodeMessage(encodeMessage(message))).toEqual(message)
  })

  test(`a ${type} message cut off at any byte is malformed`, () => {
    const bytes = encodeMessage(message)
    const header = bytes.length - (carriesBlock ? block.length : 0)
    for (let end = 0; end < header; end++) refused(bytes.subarray(0, end))
  })

  test(`a ${type} message of another wire version is refused as such`, () => {
    for (const version of [0, 3, 255]) {
      const bytes = encodeMessage(message)
      bytes[0] = version
      refused(bytes, 'MESSAGE_VERSION')
    }
  })

  test(`a ${type} message with a field missing or of another type is malformed`, () => {
    const { type: t, ...fields } = message as Record<string, unknown> & Message
    delete (fields as Record<string, unknown>)['block']
    for (const name of Object.keys(fields)) {
      if ((name !== 'parts' || type !== 'announce') && !optional.includes(name))
        refused(crafted({ ...fields, t, [name]: undefined }))
      const isList = ['heads', 'partitions', 'counts'].includes(name)
      const text = 'x'.repeat(['after', 'prefix', 'end'].includes(name) ? KEY_MAX_BYTES + 1 : 300)
      for (const wrong of [null, -1, 0.5, [isList ? -1 : 1], text, { a: 1 }])
        refused(crafted({ ...fields, t, [name]: wrong }))
    }
    refused(crafted(fields))
    refused(crafted({ ...fields, t: 5 }))
    expect(decodeMessage(crafted({ ...fields, t, unknown: 1 }, carriesBlock ? block : undefined))).toEqual(message)
  })

  if (!carriesBlock) {
    test(`a ${type} message with bytes behind it is malformed`, () => {
      refused(Uint8Array.of(...encodeMessage(message), 0))
    })
  }
}

test('an announce may leave its vectors out', () => {
  const message: Message = { ...messages.announce, parts: undefined }
  expect(decodeMessage(encodeMessage(message))).toEqual(message)
})

test('messages of a session may say which copies of partitions their sender has', () => {
  const [present, whole] = [Uint8Array.of(3, 0), Uint8Array.of(1, 0)]
  const collections = [{ name: 'orders', kind: 1, origin: hash }]
  const copies = [{ partitions: 16, present, whole, collections }]
  for (const message of [
    { ...messages.digest, copies },
    { ...messages.equal, copies },
    { ...messages.vectors, copies, more: true as const },
  ]) {
    expect(decodeMessage(encodeMessage(message))).toEqual(message)
    const { type: t, ...fields } = message
    for (const wrong of [null, 5, [5], [{ ...copies[0], whole: present.subarray(1) }], copies[0]]) {
      refused(crafted({ ...fields, t, copies: wrong }))
    }
    if ('more' in message) for (const wrong of [null, 1, 'x']) refused(crafted({ ...fields, t, more: wrong }))
  }
})

test('a frame may be empty', () => {
  expect(decodeMessage(encodeMessage({ type: 'frame', block: new Uint8Array(0) }))).toEqual({
    type: 'frame',
    block: new Uint8Array(0),
  })
})

test('a message of a type that a later version may know is refused as one of another version', () => {
  for (const t of ['', 'frames', '__proto__', 'constructor']) refused(crafted({ t }, block), 'MESSAGE_VERSION')
  refused(crafted({ t: 'x'.repeat(33) }))
})

test('a question or an answer of a query that is too large is malformed', () => {
  const { type: query, ...asked } = messages.query
  refused(crafted({ ...asked, t: query, question: new Uint8Array(QUESTION_MAX_BYTES + 1) }))
  const { type: result, block: _, ...said } = messages.result
  refused(crafted({ ...said, t: result, answer: new Uint8Array(QUERY_ANSWER_MAX_BYTES + 1) }, block))
})

test('a message says the lowest version that reads it', () => {
  const versions = Object.values(messages).map((message) => [message.type, encodeMessage(message)[0]])
  const later = [
    'covers',
    'covered',
    'write',
    'written',
    'read',
    'found',
    'scan',
    'page',
    'count',
    'counted',
    'follow',
    'followed',
    'query',
    'result',
  ]
  const isLater = (type: string): boolean => [...later, 'publish', 'presence', 'still'].includes(type)
  expect(versions).toEqual(Object.keys(messages).map((type) => [type, isLater(type) ? 2 : 1]))
})

test('what a peer says of its presence goes with its hello and its heartbeats, in version 1', () => {
  for (const message of [
    { ...messages.hello, presence },
    { ...messages.announce, presence },
  ]) {
    expect(encodeMessage(message)[0]).toBe(1)
    expect(decodeMessage(encodeMessage(message))).toEqual(message)
  }
  expect(Object.keys(decodeMessage(encodeMessage(messages.hello)))).not.toContain('presence')
})

test('kinds other than maps are in a list of their own, which version 1 ignores', () => {
  const set = { ...part, kind: 3 }
  for (const message of [messages.vectors, messages.announce]) {
    const bytes = encodeMessage({ ...message, parts: [set, part] })
    expect(decodeMessage(bytes)).toEqual({ ...message, parts: [part, set] })
    const header = decodeValue(bytes.subarray(bytes[1]! < 128 ? 2 : 3)) as Record<string, unknown>
    expect(header).toMatchObject({ parts: [part], others: [set] })
    refused(crafted({ ...header, others: [part, 5] }))
  }
})

test('a presence that was cleared survives the way', () => {
  const message: Message = { type: 'presence', presence: { ...presence, value: undefined } }
  expect(decodeMessage(encodeMessage(message))).toEqual(message)
})

test('a presence is small and plain in every message', () => {
  for (const value of [
    Uint8Array.of(0xbf, 0xff),
    Uint8Array.of(0xf7),
    Uint8Array.of(1, 1),
    new Uint8Array(0),
    encodeValue('x'.repeat(PRESENCE_MAX_BYTES), 1e6),
    'text',
    7,
  ]) {
    for (const t of ['presence', 'hello', 'announce'] as const) {
      refused(crafted({ ...messages[t], t, presence: { ...presence, value } }))
    }
  }
  for (const wrong of [null, 1, [presence], { ...presence, revision: -1 }, { ...presence, incarnation: 'now' }]) {
    refused(crafted({ t: 'presence', presence: wrong }))
  }
})

test('messages of topics have a name, a plain value of at most 64 KiB, and a number that is bounded', () => {
  const publish = (changes: Record<string, unknown>): Uint8Array =>
    crafted({ t: 'publish', messages: [{ topic: 'chat', value: Uint8Array.of(1), ...changes }] })
  expect(decodeMessage(publish({})).type).toBe('publish')
  for (const changes of [
    { topic: '' },
    { topic: 'x'.repeat(129) },
    { topic: 'bell\u0007' },
    { topic: 5 },
    { value: undefined },
    { value: 'text' },
    { value: new Uint8Array(0) },
    { value: Uint8Array.of(0xc2, 0x41, 0x01) },
    { value: Uint8Array.of(0x81, 0x81) },
    { value: encodeValue(new Uint8Array(TOPIC_MESSAGE_MAX_BYTES), 1e6) },
  ]) {
    refused(publish(changes))
  }
  const each = { topic: 'a', value: Uint8Array.of(1) }
  refused(crafted({ t: 'publish', messages: Array.from({ length: TOPIC_MESSAGES_MAX + 1 }, () => each) }))
})

test('a message that is nothing at all is malformed', () => {
  refused(new Uint8Array(0))
  refused(Uint8Array.of(WIRE_VERSION))
  refused(Uint8Array.of(WIRE_VERSION, 0))
  refused(Uint8Array.of(WIRE_VERSION, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f))
  for (const header of [1, 'text', null, [], [messages.equal], new Uint8Array(4)]) refused(crafted(header))
})

test('a header that is not plain CBOR is malformed', () => {
  const wrap = (...header: number[]): Uint8Array => Uint8Array.of(WIRE_VERSION, header.length, ...header)
  refused(wrap(0xa1, 0x61, 0x74, 0xc2, 0x41, 0x01))
  refused(wrap(0xbf, 0xff))
  refused(wrap(0xa2, 0x61, 0x74, 0x01, 0x61, 0x74, 0x02))
  refused(wrap(0xa1, 0x01, 0x01))
  refused(wrap(0xd9, 0xdf, 0xff, 0x80))
})

test('a message larger than any peer sends is refused unread', () => {
  refused(new Uint8Array(MESSAGE_MAX_BYTES + 1), 'MESSAGE_TOO_LARGE')
  const largest = crafted({ t: 'frame' })
  const message = new Uint8Array(MESSAGE_MAX_BYTES)
  message.set(largest)
  expect(decodeMessage(message).type).toBe('frame')
})

test('member records are bounded in every field', () => {
  const hello = (changes: Record<string, unknown>): Uint8Array =>
    crafted({ t: 'hello', members: [{ ...member, ...changes }] })
  expect(decodeMessage(hello({})).type).toBe('hello')
  expect(decodeMessage(hello({ role: 'relay' }))).toMatchObject({ members: [{ role: 'light' }] })
  for (const changes of [
    { peerId: 'x'.repeat(129) },
    { incarnation: 2 ** 53 },
    { revision: -1 },
    { weight: Number.NaN },
    { weight: Infinity },
    { weight: -1 },
    { zone: 'x'.repeat(65) },
    { addresses: Array.from({ length: ADDRESSES_MAX + 1 }, () => '/a') },
    { addresses: ['x'.repeat(ADDRESS_MAX_BYTES + 1)] },
    { addresses: [1] },
    { software: 'x'.repeat(65) },
    { replicaId: 'short' },
    { left: 0 },
  ]) {
    refused(hello(changes))
  }
})

test('a hello has this peer and as many members as a peer may know', () => {
  const members = Array.from({ length: MEMBERS_MAX + 1 }, (_, i) => ({ ...member, peerId: `peer ${i}` }))
  expect(decodeMessage(encodeMessage({ type: 'hello', members }))).toEqual({ type: 'hello', members })
  refused(crafted({ t: 'hello', members: [...members, member] }))
})

test('20,000 mutated messages decode or are refused with a code, and nothing else', () => {
  const random = new SeededRandom(77)
  const all = Object.values(messages).map(encodeMessage)
  const codes = new Map<string, number>()
  for (let i = 0; i < 20_000; i++) {
    let outcome: string
    try {
      outcome = decodeMessage(mutated(all[i % all.length]!, random)).type
    } catch (error) {
      if (!(error instanceof GridError)) throw error
      outcome = error.code
    }
    codes.set(outcome, (codes.get(outcome) ?? 0) + 1)
  }
  const errors = [...codes.keys()].filter((code) => code === code.toUpperCase())
  expect(errors.toSorted()).toEqual(['MESSAGE_MALFORMED', 'MESSAGE_VERSION'])
})

test('the parts of a question about partitions keep their order, whatever their kinds: the answer has a bit for each place', () => {
  const parts = [1, 7, 1, 8, 1].map((kind, place) => ({ ...part, kind, partition: 16 + place }))
  const read = decodeMessage(encodeMessage({ type: 'covers', request: 1, parts }))
  expect(read).toMatchObject({ parts: parts.map(({ kind, partition }) => ({ kind, partition })) })
})
