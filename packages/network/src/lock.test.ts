import { describe, expect, it } from 'vitest'
import { deriveChannel } from './channel.ts'
import { SEAL_BYTES } from './lock.ts'
import type { Lock } from './lock.ts'

const frame = new TextEncoder().encode('users/ada is 36')

async function lockOf(name: string, secret: string): Promise<Lock> {
  const { lock } = await deriveChannel(name, secret)
  if (lock === undefined) throw new Error('a secret makes a lock')
  return lock
}

/** Members of one grid, each with a lock of its own, as in processes of their own. */
const [ada, ben, stranger] = await Promise.all([
  lockOf('demo', 'our secret'),
  lockOf('demo', 'our secret'),
  lockOf('demo', 'a guess'),
])

describe('a channel', () => {
  it('is the same for the same name and secret, and shows neither', async () => {
    const { topic, protocol } = await deriveChannel('demo', 'our secret')
    expect(await deriveChannel('demo', 'our secret')).toMatchObject({ topic, protocol })
    expect(topic).toMatch(/^gossipgrid\/[0-9a-f]{32}$/)
    expect(protocol).toMatch(/^\/gossipgrid\/[0-9a-f]{32}\/1$/)
  })

  it('is another one with another secret, with another name, and without a secret', async () => {
    const channels = await Promise.all([
      deriveChannel('demo'),
      deriveChannel('other'),
      deriveChannel('demo', 'our secret'),
      deriveChannel('other', 'our secret'),
      deriveChannel('demo', 'our secret '),
    ])
    expect(new Set(channels.map(({ topic }) => topic)).size).toBe(channels.length)
    expect(new Set(channels.map(({ protocol }) => protocol)).size).toBe(channels.length)
    expect(channels.map(({ lock }) => lock === undefined)).toEqual([true, true, false, false, false])
  })
})

describe('a proof of membership', () => {
  it('shows one peer that another is a member', async () => {
    expect(await ben.verify(await ada.prove('ada', 'ben'), 'ada', 'ben')).toBe(true)
  })

  it('is not valid from another peer, to another peer, or in the other direction', async () => {
    const proof = await ada.prove('ada', 'ben')
    expect(await ben.verify(proof, 'eve', 'ben')).toBe(false)
    expect(await ben.verify(proof, 'ada', 'eve')).toBe(false)
    expect(await ben.verify(proof, 'ben', 'ada')).toBe(false)
  })

  it('cannot be made with another secret or grid, nor altered', async () => {
    expect(await ben.verify(await stranger.prove('ada', 'ben'), 'ada', 'ben')).toBe(false)
    const other = await lockOf('other', 'our secret')
    expect(await ben.verify(await other.prove('ada', 'ben'), 'ada', 'ben')).toBe(false)
    const proof = await ada.prove('ada', 'ben')
    for (let at = 0; at < proof.length; at++) {
      const altered = proof.slice()
      altered[at]! ^= 1
      expect(await ben.verify(altered, 'ada', 'ben')).toBe(false)
    }
  })
})

describe('a sealed frame', () => {
  it('is read by members, many of one author and of several', async () => {
    for (const author of ['ada', 'cora', 'ada']) {
      for (const size of [0, 1, 1000, 100_000]) {
        const bytes = new Uint8Array(size).fill(size % 251)
        const sealed = await ada.seal(author, bytes)
        expect(sealed.length).toBe(size + SEAL_BYTES)
        expect(await ben.unseal(author, sealed)).toEqual(bytes)
      }
    }
  })

  it('says nothing to a stranger, and looks different every time', async () => {
    const first = await ada.seal('ada', frame)
    const second = await ada.seal('ada', frame)
    expect(await stranger.unseal('ada', first)).toBeUndefined()
    expect(Buffer.from(first).includes('ada')).toBe(false)
    expect(Buffer.from(first.subarray(16)).equals(Buffer.from(second.subarray(16)))).toBe(false)
    expect(Buffer.from(await ben.seal('ada', frame)).subarray(0, 16)).not.toEqual(Buffer.from(first).subarray(0, 16))
  })

  it('is refused in the name of another author, and when any byte was altered or left out', async () => {
    const sealed = await ada.seal('ada', frame)
    expect(await ben.unseal('eve', sealed)).toBeUndefined()
    for (let at = 0; at < sealed.length; at++) {
      const altered = sealed.slice()
      altered[at]! ^= 0x10
      expect(await ben.unseal('ada', altered)).toBeUndefined()
      expect(await ben.unseal('ada', sealed.subarray(0, at))).toBeUndefined()
    }
    expect(await ben.unseal('ada', sealed)).toEqual(frame)
  })
})
