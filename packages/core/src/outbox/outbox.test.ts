import { expect, test } from 'vitest'
import { Outbox } from './outbox.ts'
import { decodeMessage } from '../wire/messages.ts'

test('everything is handed over once, in the order in which it was put in', () => {
  const outbox = new Outbox()
  outbox.store(1, [{ type: 'delete', key: 'k' }])
  outbox.event({ type: 'durable', writeId: 7 })
  outbox.dial('a', ['/here'])
  outbox.redial('b')
  outbox.refuse('c', 1000, 'too much')
  expect(outbox.take()).toEqual([
    { type: 'store', ticket: 1, batch: [{ type: 'delete', key: 'k' }] },
    { type: 'event', event: { type: 'durable', writeId: 7 } },
    { type: 'dial', peerId: 'a', addresses: ['/here'] },
    { type: 'redial', neighbour: 'b' },
    { type: 'refuse', neighbour: 'c', refusedMs: 1000, reason: 'too much' },
  ])
  expect(outbox.take()).toEqual([])
})

test('a message is encoded when it is put in: what changes afterwards does not change it', () => {
  const outbox = new Outbox()
  const message = { type: 'goodbye', left: true } as const
  const block = Uint8Array.of(1, 2)
  outbox.send('a', message)
  outbox.broadcast({ type: 'frame', block })
  block[0] = 9
  const effects = outbox.take()
  const messages = effects.map((effect) => ('bytes' in effect ? decodeMessage(effect.bytes) : undefined))
  expect(effects).toMatchObject([{ type: 'send', to: 'a' }, { type: 'broadcast' }])
  expect(messages).toEqual([message, { type: 'frame', block: Uint8Array.of(1, 2) }])
})
