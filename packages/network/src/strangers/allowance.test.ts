import { describe, expect, it } from 'vitest'
import { Allowance, Cost, ExcessError } from './allowance.ts'
import { GREETING, GreetingCheck } from './greeting.ts'
import { LengthWatch } from './length-watch.ts'

const framed = (...messages: readonly string[]): Uint8Array =>
  Buffer.concat(messages.map((text) => Buffer.concat([Buffer.of(text.length), Buffer.from(text)])))

describe('the allowance of a connection', () => {
  it('is used up in the end, whatever is charged, and is unlimited once it is lifted', () => {
    const spend = (allowance: Allowance, count: number): void => {
      for (let i = 0; i < count; i += 1) allowance.charge(Cost.message)
    }
    expect(() => spend(new Allowance(), 1000)).toThrow(ExcessError)
    const lifted = new Allowance()
    lifted.lift()
    spend(lifted, 100_000)
  })
})

describe('the greeting', () => {
  it('is known however it is cut, with anything behind it', () => {
    for (let size = 1; size <= GREETING.length; size += 1) {
      const check = new GreetingCheck()
      for (let at = 0; at < GREETING.length; at += size) {
        expect(check.complete).toBe(false)
        check.read(GREETING.subarray(at, at + size))
      }
      check.read(Uint8Array.of(1, 2, 3))
      expect(check.complete).toBe(true)
    }
  })

  it('is refused at the first byte that differs', () => {
    for (let at = 0; at < GREETING.length; at += 1) {
      const bytes = GREETING.slice()
      bytes[at]! ^= 1
      const check = new GreetingCheck()
      check.read(bytes.subarray(0, at))
      expect(() => check.read(bytes.subarray(at, at + 1))).toThrow(ExcessError)
    }
  })
})

describe('the lengths on a stream', () => {
  it('are followed from the agreement on the protocol into its messages, however they are cut', () => {
    const bytes = framed(
      '/multistream/1.0.0\n',
      '/ipfs/id/1.0.0\n',
      'a message with \xff\xff\xff\xff\xff\xff'.slice(0, 15),
    )
    for (let size = 1; size <= bytes.length; size += 1) {
      const watch = new LengthWatch(new Allowance())
      for (let at = 0; at < bytes.length; at += size) watch.read(bytes.subarray(at, at + size), '')
    }
  })

  it.each(['', '/ipfs/id/1.0.0', '/meshsub/1.2.0', '/libp2p/circuit/relay/0.2.0/hop', '/gossipgrid/meet/1'])(
    'have an end, with the protocol "%s"',
    (protocol) => {
      const watch = new LengthWatch(new Allowance())
      watch.read(framed('/multistream/1.0.0\n', '/some/protocol\n'), '')
      expect(() => watch.read(new Uint8Array(5).fill(0x80), protocol)).toThrow(ExcessError)
    },
  )

  it('are no longer looked for where a protocol has none', () => {
    const watch = new LengthWatch(new Allowance())
    watch.read(framed('/multistream/1.0.0\n', '/ipfs/ping/1.0.0\n'), '')
    watch.read(new Uint8Array(1000).fill(0xff), '/ipfs/ping/1.0.0')
    const relayed = new LengthWatch(new Allowance())
    relayed.read(framed('connect me'), '/libp2p/circuit/relay/0.2.0/hop')
    relayed.read(new Uint8Array(1000).fill(0xff), '/libp2p/circuit/relay/0.2.0/hop')
  })

  it('are charged, so that empty messages have an end as well', () => {
    const watch = new LengthWatch(new Allowance())
    expect(() => watch.read(new Uint8Array(1000), '')).toThrow(ExcessError)
  })
})
