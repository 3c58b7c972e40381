import { afterEach, describe, expect, it, vi } from 'vitest'
import { MessageWriter } from './message-writer.ts'

/** A stream that takes everything at once. */
class TakingStream extends EventTarget {
  readonly writes: Uint8Array[] = []
  readonly writableNeedsDrain = false

  send(bytes: Uint8Array): boolean {
    this.writes.push(bytes)
    return true
  }
}

function writing(): { stream: TakingStream; send: (...texts: string[]) => void } {
  const stream = new TakingStream()
  const writer = new MessageWriter(stream as never, (reason) => {
    throw new Error(reason)
  })
  const send = (...texts: string[]): void => {
    for (const text of texts) void writer.send(new TextEncoder().encode(text))
  }
  return { stream, send }
}

const microtasks = (): Promise<void> => Promise.resolve()
const endOfTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

afterEach(() => vi.restoreAllMocks())

describe('messages to a neighbour', () => {
  it('leave at once after a pause, and those of one task together', async () => {
    const { stream, send } = writing()
    send('a', 'b', 'c')
    await microtasks()
    expect(stream.writes).toHaveLength(1)
    vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 1)
    send('d')
    await microtasks()
    expect(stream.writes).toHaveLength(2)
  })

  it('leave together at the end of the turn when they follow one another', async () => {
    vi.spyOn(performance, 'now').mockReturnValue(1000)
    const { stream, send } = writing()
    send('a')
    await microtasks()
    for (const text of ['b', 'c', 'd']) {
      send(text)
      await microtasks()
    }
    expect(stream.writes).toHaveLength(1)
    await endOfTurn()
    expect(stream.writes).toHaveLength(2)
    expect(stream.writes[1]!.length).toBe(3 * stream.writes[0]!.length)
  })
})
