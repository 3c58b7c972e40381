import type { Connection, MultiaddrConnection, Transport } from '@libp2p/interface'
import { describe, expect, it } from 'vitest'
import { SilenceWatch, SILENCE_CHECK_MS } from './silence-watch.ts'
import { counted } from './traffic.ts'

class FakeStream extends EventTarget {
  readonly sent: Uint8Array[] = []
  aborted = false
  send(bytes: Uint8Array): boolean {
    this.sent.push(bytes)
    return true
  }
  async close(): Promise<void> {}
  abort(): void {
    this.aborted = true
  }
}

interface FakeConnection {
  readonly connection: Connection
  readonly pings: FakeStream[]
  /** Bytes arrive. */
  receive(): void
}

/** A connection that answers no ping, and whose transport counts its bytes or does not. */
async function connect(isCounted: boolean, refuses = false): Promise<FakeConnection> {
  const pings: FakeStream[] = []
  const maConn: { onData(bytes: Uint8Array): void; send(): boolean } = { onData: () => undefined, send: () => true }
  if (isCounted) {
    const transport = {
      dial: async (_: unknown, { upgrader }: { upgrader: { upgradeOutbound(c: unknown): unknown } }) =>
        upgrader.upgradeOutbound(maConn),
      createListener: () => undefined,
    }
    const upgrader = { upgradeOutbound: (connection: MultiaddrConnection) => connection }
    const { dial } = counted(() => transport as unknown as Transport, { sentBytes: 0, receivedBytes: 0 })({})
    await dial(undefined as never, { upgrader } as never)
  }
  const newStream = async (): Promise<FakeStream> => {
    if (refuses) throw Object.assign(new Error('no'), { name: 'UnsupportedProtocolError' })
    const stream = new FakeStream()
    pings.push(stream)
    return stream
  }
  return {
    connection: { maConn, newStream } as unknown as Connection,
    pings,
    receive: () => maConn.onData(new Uint8Array(1)),
  }
}

function watching(all: readonly FakeConnection[]): { ended: number[]; next(lateMs?: number): Promise<void> } {
  const ended: number[] = []
  const connections = all.map(({ connection }) => connection)
  const watch = new SilenceWatch((connection) => ended.push(connections.indexOf(connection)))
  let nowMs = 0
  return {
    ended,
    next: async (lateMs = 0) => {
      watch.check(() => connections, nowMs)
      watch.check(() => connections, nowMs + 1)
      nowMs += SILENCE_CHECK_MS + lateMs
      await new Promise((resolve) => setImmediate(resolve))
    },
  }
}

describe('the watch for silent connections', () => {
  it('does not ping a connection on which bytes arrive', async () => {
    const busy = await connect(true)
    const { ended, next } = watching([busy])
    for (let i = 0; i < 10; i++) {
      await next()
      busy.receive()
    }
    expect(busy.pings).toHaveLength(0)
    expect(ended).toEqual([])
  })

  it('pings a silent one, and ends it if nothing arrives until the next check', async () => {
    const silent = await connect(true)
    const { ended, next } = watching([silent])
    await next()
    await next()
    expect(silent.pings).toHaveLength(1)
    expect(silent.pings[0]!.sent[0]).toHaveLength(32)
    silent.receive()
    await next()
    await next()
    expect(silent.pings).toHaveLength(2)
    expect(ended).toEqual([])
    await next()
    expect(ended).toEqual([0])
  })

  it('ends none when this process has had no time to read', async () => {
    const silent = await connect(true)
    const { ended, next } = watching([silent])
    await next()
    await next(5000)
    await next()
    expect(ended).toEqual([])
    await next()
    expect(ended).toEqual([0])
  })

  it('pings one whose bytes are not counted each time, and takes an answer or a refusal for a sign of life', async () => {
    const answers = await connect(false)
    const refuses = await connect(false, true)
    const silent = await connect(false)
    const { ended, next } = watching([answers, refuses, silent])
    for (let i = 0; i < 3; i++) {
      await next()
      answers.pings.at(-1)?.dispatchEvent(new Event('message'))
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(answers.pings).toHaveLength(3)
    expect(new Set(ended)).toEqual(new Set([2]))
  })
})
