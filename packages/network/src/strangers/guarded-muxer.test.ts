import { yamux } from '@libp2p/yamux'
import { multiaddrConnectionPair } from '@libp2p/utils'
import { expect, it } from 'vitest'
import { Allowance } from './allowance.ts'
import { guardedMuxer } from './guarded-muxer.ts'

it('a connection that closes while a stream is being opened ends that stream, and not the process', async () => {
  const [connection] = multiaddrConnectionPair()
  const factory = yamux()()
  const muxer = guardedMuxer(factory, new Allowance()).createStreamMuxer(connection)
  const thrown: unknown[] = []
  const onThrown = (error: unknown): void => void thrown.push(error)
  process.on('uncaughtException', onThrown)
  try {
    const opening = muxer.createStream()
    connection.send = () => {
      throw new Error('cannot write to a stream that is closed')
    }
    const stream = await opening
    await new Promise((resolve) => setImmediate(resolve))
    expect(thrown).toEqual([])
    expect(stream.status).not.toBe('open')
  } finally {
    process.off('uncaughtException', onThrown)
  }
})
