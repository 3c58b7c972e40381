import { encodeValue, expiring, hlcFromWall, writtenBy } from '@gossipgrid/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Grid } from '../../grid.ts'
import { openGrid } from '../../open-grid.ts'
import { RAW_GUEST as GUEST, RawGuest, closeRawGuests } from '../../rig/raw-guest.ts'
import { until } from '../../rig/test-grids.ts'
import type { GuestWrite, MemberMessage } from '../messages.ts'
import { readPass } from '../pass-text.ts'

const SECRET = 'q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA'
const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

let member: Grid

beforeEach(async () => {
  member = await openGrid({
    ...{ name: 'shop', secret: SECRET, listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false, logger: silent },
    guests: { listen: ['/ip4/127.0.0.1/tcp/0'], max: 2 },
  })
  await member.map('todos').set('{42}:own', 'mine')
  await member.map('todos').set('{43}:other', 'theirs')
  await member.map('salaries').set('bob', 3)
})

afterEach(async () => {
  await closeRawGuests()
  await member.close()
})

function passOf(subject = 'ada'): Promise<string> {
  const grants = [{ map: 'todos', prefix: '{42}:', may: 'write' as const }]
  return member.issuePass({ subject, expiresInMs: 3_600_000, grants })
}

let number = hlcFromWall(Date.now())
function writeOf(change: Partial<GuestWrite>): GuestWrite {
  number += 1
  const bytes = encodeValue('bad', 100)
  return { number, map: 'todos', kind: 1, rowKey: '{42}:a', hlc: number, again: false, bytes, ...change }
}

const stateOf = (grid: Grid): unknown[] => ['todos', 'salaries'].map((name) => grid.map(name).peekEntries())

describe('a hostile guest', () => {
  it('does not take all places of a member: its latest connection ends for a subject with fewer', async () => {
    const first = await RawGuest.entered(member, await passOf(), '1'.repeat(32))
    const second = await RawGuest.entered(member, await passOf(), '2'.repeat(32))
    const bob = await RawGuest.entered(member, await passOf('bob'), '3'.repeat(32))
    expect(await second.isSentAway()).toBe(true)
    expect(second.received.at(-1)).toMatchObject({ type: 'end', code: 'QUOTA_EXCEEDED' })
    await expect(RawGuest.entered(member, await passOf(), '4'.repeat(32))).rejects.toThrow('QUOTA_EXCEEDED')
    await expect(RawGuest.entered(member, await passOf('bob'), '5'.repeat(32))).rejects.toThrow('QUOTA_EXCEEDED')
    await expect(RawGuest.entered(member, await passOf('eve'), '6'.repeat(32))).rejects.toThrow('QUOTA_EXCEEDED')
    expect([first.ended, bob.ended]).toEqual(['', ''])
    expect(member.status().guests!.connected).toBe(2)
  })

  it('writes and deletes nothing outside of its grants, and learns nothing by trying', async () => {
    const before = stateOf(member)
    const guest = await RawGuest.entered(member, await passOf())
    const outside: Partial<GuestWrite>[] = [
      { rowKey: '{42}' },
      { rowKey: '{42};' },
      { rowKey: '{43}:other' },
      { rowKey: '{43}:other', bytes: undefined },
      { rowKey: '\u007b42\u007d\u2236a' },
      { map: 'salaries', rowKey: 'bob' },
      { map: 'salaries', rowKey: 'bob', bytes: undefined },
      { map: 'Todos' },
      { map: 'never opened by anyone' },
      { map: 'guests', rowKey: 'revoked/x' },
      { map: 'grid', rowKey: 'member/x' },
      { kind: 4, rowKey: '{43}:other\0field' },
    ]
    const writes = outside.map(writeOf)
    await guest.send({ type: 'writes', writes })
    const answers = await guest.answers(writes.length)
    expect(new Set(answers.map(({ code }) => code))).toEqual(new Set(['FORBIDDEN']))
    expect(answers.every(({ bytes }) => bytes === undefined)).toBe(true)
    // The same words for what there is and for what there is not.
    const said = answers.map(({ text }, i) => text.replaceAll(writes[i]!.map, 'MAP'))
    expect(new Set(said).size).toBe(1)
    expect(stateOf(member)).toEqual(before)
    expect(
      member
        .collections()
        .map(({ name }) => name)
        .toSorted(),
    ).toEqual(['salaries', 'todos'])
  })

  it('is sent only what its pass covers', async () => {
    const guest = await RawGuest.entered(member, await passOf())
    await member.map('todos').set('{43}:more', 'theirs')
    await member.map('salaries').set('eve', 4)
    await member.map('todos').set('{42}:new', 'mine')
    await until(() => JSON.stringify(guest.received).includes('{42}:new'), 'its own')
    const rows = guest.received.flatMap((each) => (each.type === 'rows' ? each.rows : []))
    expect(rows.map(({ rowKey }) => rowKey)).toEqual(['{42}:own', '{42}:new'])
    expect(guest.text).toContain('{42}:new')
    expect(guest.text).not.toMatch(/\{43\}|theirs|salaries|bob|eve/)
  })

  it('whose clock is far ahead writes as of now, and one that is behind loses to what is there', async () => {
    const guest = await RawGuest.entered(member, await passOf())
    const yearMs = 365 * 24 * 3_600_000
    const dates: number[] = []
    member.map('todos').on('change', ({ at }) => dates.push(at!.getTime()))
    const ahead = writeOf({ hlc: hlcFromWall(Date.now() + yearMs), rowKey: '{42}:own' })
    const behind = writeOf({ hlc: hlcFromWall(Date.now() - yearMs), rowKey: '{42}:own', bytes: encodeValue('old', 9) })
    await guest.send({ type: 'writes', writes: [ahead, behind] })
    expect((await guest.answers(2)).map(({ code }) => code)).toEqual(['', ''])
    expect(await member.map('todos').get('{42}:own')).toBe('bad')
    await member.map('todos').set('{42}:own', 'again')
    expect(await member.map('todos').get('{42}:own')).toBe('again')
    expect(dates).toHaveLength(2)
    expect(Math.max(...dates)).toBeLessThanOrEqual(Date.now() + 1000)
    expect(member.status().clock).toMatchObject({ heldWrites: 0, refusedWrites: 0 })
  })

  it('claims no other subject: whatever its bytes say, a change has the subject of the pass', async () => {
    const guest = await RawGuest.entered(member, await passOf('mallory'))
    const seen: unknown[] = []
    member.map('todos').on('change', ({ key, subject, type, value }) => seen.push([type, key, subject, value]))
    const value = encodeValue({ x: 1 }, 100)
    const writes = [
      writeOf({ bytes: writtenBy('ada', value) }),
      writeOf({ rowKey: '{42}:own', hlc: hlcFromWall(Date.now()), bytes: writtenBy('ada', undefined) }),
      writeOf({ rowKey: '{42}:b', bytes: expiring(value, Date.now() + 3_600_000) }),
    ]
    await guest.send({ type: 'writes', writes })
    expect((await guest.answers(3)).map(({ code }) => code)).toEqual(['', '', ''])
    expect(seen).toEqual([
      ['set', '{42}:a', 'mallory', { x: 1 }],
      ['delete', '{42}:own', 'mallory', undefined],
      ['set', '{42}:b', 'mallory', { x: 1 }],
    ])
    const deep = Uint8Array.from({ length: 66 }, (_, i) => (i === 65 ? 1 : 0x81))
    await guest.send({ type: 'writes', writes: [writeOf({ bytes: deep })] })
    expect(await guest.isSentAway()).toBe(true)
  })

  it('that repeats its numbers has each write taken once', async () => {
    const pass = await passOf()
    const guest = await RawGuest.entered(member, pass)
    const write = writeOf({})
    await guest.send({ type: 'writes', writes: [write] })
    await guest.answers(1)
    await member.map('todos').set('{42}:a', 'later')
    await guest.send({ type: 'writes', writes: [{ ...write, hlc: hlcFromWall(Date.now() + 60_000) }] })
    await guest.answers(2)
    expect(await member.map('todos').get('{42}:a')).toBe('later')
    expect(member.status().guests?.writesTaken).toBe(1)
  })

  it('that says anything before it has entered, or what no guest says, is sent away, and the member goes on', async () => {
    const pass = await passOf()
    const key = readPass(pass).publicKey
    const nonce = new Uint8Array(32)
    const enter = { type: 'enter', pass, guest: GUEST, cursors: new Map() } as const
    const dialogues: unknown[][] = [
      [{ version: 1, type: 'writes', writes: [] }],
      [{ version: 1, type: 'enter', pass, guest: GUEST, cursors: [] }],
      [{ version: 2, type: 'hello', key, nonce }],
      [{ version: 1, type: 'hello', key: key.slice(1), nonce }],
      [{ version: 1, type: 'hello', key: new Uint8Array(32), nonce }],
      [
        { version: 1, type: 'hello', key, nonce },
        { version: 1, type: 'hello', key, nonce },
      ],
      [
        { version: 1, type: 'hello', key, nonce },
        { version: 1, type: 'writes', writes: [] },
      ],
      [
        { version: 1, type: 'hello', key, nonce },
        { ...enter, version: 1, cursors: [], guest: '../x' },
      ],
      [
        { version: 1, type: 'hello', key, nonce },
        { ...enter, version: 1, cursors: [['todos', 5]] },
      ],
      [{ version: 1, type: 'what' }],
      [{ version: 1, type: '__proto__' }],
      [[1, 2, 3]],
      [null],
      ['hello'],
    ]
    for (const dialogue of dialogues) {
      const guest = await RawGuest.dial(member)
      for (const message of dialogue) await guest.sendAny(message).catch(() => undefined)
      expect(await guest.isSentAway(), JSON.stringify(dialogue)).toBe(true)
    }
    const malformed: Partial<Record<keyof GuestWrite, unknown>>[] = [
      { kind: 2 },
      { kind: 5 },
      { kind: 1.5 },
      { rowKey: '' },
      { rowKey: 'x'.repeat(1025) },
      { hlc: -1 },
      { hlc: Number.MAX_VALUE },
      { number: 'one' },
      { bytes: 'text' },
      { bytes: Uint8Array.of(0xc2, 0x41, 0x01) },
      { bytes: Uint8Array.of(0x82, 0x01) },
      { bytes: expiring(encodeValue(1, 9), Number.NaN) },
      { map: 'a\0b' },
    ]
    for (const [i, change] of malformed.entries()) {
      const guest = await RawGuest.entered(member, pass)
      await guest.sendAny({ version: 1, type: 'writes', writes: [{ ...writeOf({}), ...change }] })
      expect(await guest.isSentAway(), `${i}`).toBe(true)
    }
    expect(await member.map('todos').get('{42}:a')).toBeUndefined()
    await RawGuest.entered(member, pass)
  })

  it('that does not wait for answers is sent away', async () => {
    const guest = await RawGuest.entered(member, await passOf())
    for (let i = 0; i < 2000 && guest.ended === ''; i++) {
      const writes = Array.from({ length: 10 }, () => writeOf({ rowKey: `{42}:${i}` }))
      await guest.send({ type: 'writes', writes }).catch(() => undefined)
    }
    expect(await guest.isSentAway()).toBe(true)
  })

  it('that sends more than its rate has to wait, and the member reads no more of it', async () => {
    const quotas = { bytesPerSecond: 1024 }
    const slow = await openGrid({
      ...{ name: 'shop', secret: SECRET, listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false, logger: silent },
      guests: { listen: ['/ip4/127.0.0.1/tcp/0'], quotas },
    })
    const guest = await RawGuest.entered(slow, await passOf())
    let sent = 0
    const flood = (async () => {
      for (; sent < 40; sent++) {
        // What is not used of a message counts as well.
        const filler = new Uint8Array(1_000_000)
        await guest.sendAny({ version: 1, type: 'ask', number: sent, request: new Uint8Array(0), filler })
      }
    })().catch(() => undefined)
    await new Promise((resolve) => setTimeout(resolve, 1500))
    expect(sent).toBeGreaterThan(0)
    expect(sent).toBeLessThan(6)
    expect(guest.ended).toBe('')
    guest.connection.end('it goes')
    await flood
    expect((await RawGuest.entered(slow, await passOf('bob'))).ended).toBe('')
    await slow.close()
  })

  it('cannot use a cursor that it made up or changed', async () => {
    const pass = await passOf()
    const first = await RawGuest.entered(member, pass)
    const sealed = first.received.flatMap((each) => (each.type === 'rows' && each.cursor ? [each.cursor] : []))[0]!
    for (const cursor of [
      new Uint8Array(0),
      new Uint8Array(500),
      sealed.map((byte, i) => (i === 40 ? byte ^ 1 : byte)),
    ]) {
      const guest = await RawGuest.dial(member)
      await guest.send({ type: 'hello', key: readPass(pass).publicKey, nonce: new Uint8Array(32) })
      await guest.send({ type: 'enter', pass, guest: 'cd'.repeat(16), cursors: new Map([['todos', cursor]]) })
      const rows = (await guest.until('rows')) as Extract<MemberMessage, { type: 'rows' }>
      expect(rows).toMatchObject({ isReset: true, rows: [{ rowKey: '{42}:own' }] })
      guest.connection.end('done')
      await until(() => member.status().guests?.connected === 1, 'the end')
    }
  })
})

describe('a member', () => {
  it('serves no more guests than it may, and one that connects again in place of itself', async () => {
    await RawGuest.entered(member, await passOf('a'))
    const second = await RawGuest.entered(member, await passOf('b'))
    const third = await RawGuest.dial(member)
    const pass = await passOf('c')
    await third.send({ type: 'hello', key: readPass(pass).publicKey, nonce: new Uint8Array(32) })
    await third.send({ type: 'enter', pass, guest: GUEST, cursors: new Map() })
    expect(await third.until('end')).toMatchObject({ code: 'QUOTA_EXCEEDED' })
    await RawGuest.entered(member, await passOf('b'))
    expect(await second.isSentAway()).toBe(true)
    expect(member.status().guests?.connected).toBe(2)
  })
})
