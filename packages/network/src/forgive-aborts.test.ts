import type { Connection } from '@libp2p/interface'
import type { Libp2p } from 'libp2p'
import { expect, it } from 'vitest'
import { forgiveAborts } from './ending.ts'

it('a connection that is closed already can be aborted, as the monitor of connections does', () => {
  const node = new EventTarget() as EventTarget & Pick<Libp2p, 'addEventListener'>
  forgiveAborts(node)
  const aborted: Error[] = []
  const connection = {
    abort: (error: Error) => {
      aborted.push(error)
      throw new Error('Cannot write to a stream that is closed')
    },
  } as Partial<Connection> as Connection
  node.dispatchEvent(new CustomEvent('connection:open', { detail: connection }))
  const reason = new Error('no answer to a ping')
  expect(() => connection.abort(reason)).not.toThrow()
  expect(aborted).toEqual([reason])
})

it('and so can its multiplexer, as it does itself where data comes just as the connection closes', () => {
  const node = new EventTarget() as EventTarget & Pick<Libp2p, 'addEventListener'>
  forgiveAborts(node)
  const failing = (): void => {
    throw new Error('Cannot write to a stream that is closed')
  }
  const connection = { abort: failing, muxer: { abort: failing } }
  node.dispatchEvent(new CustomEvent('connection:open', { detail: connection }))
  expect(() => connection.muxer.abort()).not.toThrow()
})
