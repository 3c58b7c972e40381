import { generateKeyPair } from '@libp2p/crypto/keys'
import type { PrivateKey, Stream } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { eventually, publishUntil, recordNetwork } from '@gossipgrid/testing/network-conformance'
import type { RecordedNetwork } from '@gossipgrid/testing/network-conformance'
import { afterEach, expect, test } from 'vitest'
import { libp2pNetwork } from './libp2p-network.ts'
import type { Libp2pNetwork } from './libp2p-port.ts'
import { rawPeer } from './raw-peer.ts'

const PROTOCOL = '/gossipgrid/hostile/1'
const TOPIC = 'hostile'
const MESHSUB = '/meshsub/1.1.0'

type Recorded = RecordedNetwork & { readonly network: Libp2pNetwork }

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()))
})

async function start(...join: Recorded[]): Promise<Recorded> {
  const network = await libp2pNetwork({
    channels: [{ topic: TOPIC, protocol: PROTOCOL }],
    listen: ['/ip4/127.0.0.1/tcp/0'],
    join: join.map(addressOf),
    mdns: false,
  })
  closing.push(() => network.stop())
  return { ...(await recordNetwork(network)), network }
}

function addressOf({ network }: Recorded): string {
  return network.addresses()[0] as string
}

/** Two honest networks that have met. */
async function pair(): Promise<[Recorded, Recorded]> {
  const ada = await start()
  const ben = await start(ada)
  await eventually(() => ada.network.neighbours().length === 1 && ben.network.neighbours().length === 1, 'they met')
  await publishUntil(ada.network, ben)
  return [ada, ben]
}

/** A neighbour that writes gossip by hand. */
async function hostile(victim: Recorded): Promise<{ peerId: string; gossip: Stream; closed: () => boolean }> {
  const raw = await rawPeer(PROTOCOL)
  closing.push(async () => raw.node.stop())
  await raw.node.handle(MESHSUB, () => undefined)
  const { connection } = await raw.meet(addressOf(victim))
  const gossip = await connection.newStream(MESHSUB)
  await eventually(() => victim.network.neighbours().includes(raw.peerId), 'it is a neighbour')
  return { peerId: raw.peerId, gossip, closed: () => gossip.status !== 'open' }
}

/** Protocol buffers, as far as gossipsub uses them. */
function field(number: number, value: Uint8Array | string | boolean): Uint8Array {
  if (typeof value === 'boolean') return Uint8Array.of(number << 3, value ? 1 : 0)
  const bytes = typeof value === 'string' ? new TextEncoder().encode(value) : value
  return joined(Uint8Array.of((number << 3) | 2), varint(bytes.length), bytes)
}

function varint(value: number): Uint8Array {
  const bytes: number[] = []
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Uint8Array.of(...bytes, rest)
    bytes.push((rest % 128) | 128)
  }
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

/** Sends one message of gossipsub, or as much of it as is taken. */
function send(stream: Stream, ...fields: readonly Uint8Array[]): void {
  const bytes = joined(...fields)
  try {
    stream.send(joined(varint(bytes.length), bytes))
  } catch {
    // It was shown out: what the test then looks at is the victim.
  }
}

const subscription = (topic: string, on = true): Uint8Array => field(1, joined(field(1, on), field(2, topic)))
const graft = field(3, field(3, field(1, TOPIC)))
const text = (value: string): Uint8Array => new TextEncoder().encode(value)

async function publication(options: {
  key: PrivateKey
  from: Uint8Array
  showKey: boolean
  bad?: boolean
}): Promise<Uint8Array> {
  const seqno = crypto.getRandomValues(new Uint8Array(8))
  const signed = joined(field(1, options.from), field(2, 'forged'), field(3, seqno), field(4, TOPIC))
  const signature = await options.key.sign(joined(text('libp2p-pubsub:'), signed))
  if (options.bad === true) signature[5]! ^= 1
  const key = field(6, publicKeyBytes(options.key))
  return field(2, joined(signed, field(5, signature), ...(options.showKey ? [key] : [])))
}

/** As libp2p writes it: type Ed25519 and the key. */
function publicKeyBytes(key: PrivateKey): Uint8Array {
  return Uint8Array.of(8, 1, 18, 32, ...key.publicKey.raw)
}

test('a frame with a wrong signature, or with that of another author, reaches no peer', async () => {
  const [ada, ben] = await pair()
  const { gossip } = await hostile(ada)
  send(gossip, subscription(TOPIC), graft)
  const mine = await generateKeyPair('Ed25519')
  const others = await generateKeyPair('Ed25519')
  const idOf = (key: PrivateKey): Uint8Array => peerIdFromPrivateKey(key).toMultihash().bytes
  const sound = await publication({ key: mine, from: idOf(mine), showKey: true })
  const forged = [
    await publication({ key: mine, from: idOf(mine), showKey: true, bad: true }),
    await publication({ key: mine, from: idOf(others), showKey: true }),
    await publication({ key: mine, from: idOf(others), showKey: false }),
    await publication({ key: mine, from: text('no peer'), showKey: true }),
    field(2, joined(field(2, 'unsigned'), field(4, TOPIC))),
  ]
  ada.broadcasts.length = 0
  ben.broadcasts.length = 0
  // A sound one first: it shows that the others would arrive if they were.
  await eventually(() => {
    send(gossip, sound)
    return ada.broadcasts.length > 0
  }, 'the sound one has arrived')
  expect(ada.broadcasts[0]).toMatchObject({ author: peerIdFromPrivateKey(mine).toString() })
  for (const message of forged) send(gossip, message)
  await publishUntil(ben.network, ada)
  await publishUntil(ada.network, ben)
  const strange = [...ada.broadcasts, ...ben.broadcasts].filter(({ author }) => {
    return ![ada.network.peerId, ben.network.peerId, peerIdFromPrivateKey(mine).toString()].includes(author)
  })
  expect(strange).toEqual([])
  expect(ada.broadcasts.filter(({ author }) => author === peerIdFromPrivateKey(mine).toString()).length).toBe(1)
})

test('floods of subscriptions, of what it has, of what it wants, and of invalid frames do not disturb other neighbours', async () => {
  const [ada, ben] = await pair()
  const before = process.memoryUsage().heapUsed
  const ids = Array.from({ length: 4000 }, (_, i) => field(2, `id ${i}`.padEnd(20, 'x')))
  const wanted = Array.from({ length: 4000 }, (_, i) => field(1, `id ${i}`.padEnd(20, 'x')))
  const floods: ((stream: Stream, i: number) => void)[] = [
    (stream, i) => send(stream, ...Array.from({ length: 500 }, (_, j) => subscription(`${i} ${j}`.padEnd(200, 'x')))),
    (stream) => send(stream, field(3, field(1, joined(field(1, TOPIC), ...ids)))),
    (stream) => send(stream, field(3, field(2, joined(...wanted)))),
    (stream) =>
      send(stream, ...Array.from({ length: 500 }, () => field(2, joined(field(2, 'invalid'), field(4, TOPIC))))),
    (stream) => send(stream, ...Array.from({ length: 500 }, () => graft)),
    (stream) => send(stream, field(2, new Uint8Array(2_000_000))),
  ]
  for (const flood of floods) {
    const { gossip } = await hostile(ada)
    send(gossip, subscription(TOPIC))
    for (let i = 0; i < 60; i++) flood(gossip, i)
  }
  await publishUntil(ada.network, ben)
  await publishUntil(ben.network, ada)
  expect(ada.disconnected).not.toContain(ben.network.peerId)
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(150 * 1024 * 1024)
})

test('bytes that are no gossip cost a neighbour its stream, and other neighbours nothing', async () => {
  const [ada, ben] = await pair()
  for (const garbage of [
    crypto.getRandomValues(new Uint8Array(5000)),
    new Uint8Array(10).fill(0xff),
    Uint8Array.of(5, 1),
  ]) {
    const { gossip } = await hostile(ada)
    gossip.send(garbage)
  }
  await publishUntil(ada.network, ben)
  await publishUntil(ben.network, ada)
})

test('neighbours in the mesh that pass nothing on keep no frame from other peers', async () => {
  const [ada, ben] = await pair()
  for (let i = 0; i < 6; i++) {
    const { gossip } = await hostile(i % 2 === 0 ? ada : ben)
    send(gossip, subscription(TOPIC), graft)
  }
  const cora = await start(ben)
  await eventually(() => cora.network.neighbours().length > 0, 'cora has met a peer')
  await publishUntil(ada.network, cora)
  await publishUntil(cora.network, ada)
})

test('a neighbour that opens its stream again and again is refused, and is no neighbour while it is', async () => {
  const ada = await start()
  const raw = await rawPeer(PROTOCOL)
  closing.push(async () => raw.node.stop())
  let refused = false
  for (let i = 0; i < 200 && !refused; i++) {
    const { connection } = await raw.meet(addressOf(ada)).catch(() => ({ connection: undefined }))
    for (let j = 0; j < 50; j++) await connection?.newStream(PROTOCOL).catch(() => undefined)
    refused = connection === undefined
  }
  expect(ada.connected.length).toBeLessThanOrEqual(30)
  await eventually(() => ada.network.neighbours().length === 0, 'it was shown out')
  await expect(raw.meet(addressOf(ada))).rejects.toBeInstanceOf(Error)
})
