import { memoryStorage } from '@gossipgrid/storage'
import type { Storage } from '@gossipgrid/core'
import { afterEach, describe, expect, it } from 'vitest'
import type { Grid } from '../../grid.ts'
import { openGrid } from '../../open-grid.ts'
import type { OpenGridOptions } from '../../open-grid-options.ts'
import { diskInMemory, until } from '../../rig/test-grids.ts'
import type { Grant } from '../grants.ts'

const SECRET = 'q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA'
const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
const listen = ['/ip4/127.0.0.1/tcp/0/ws']

const open: Grid[] = []
afterEach(async () => {
  for (const grid of open.splice(0).toReversed()) await grid.close()
})

async function openMember(
  guests: Partial<OpenGridOptions['guests']> = {},
  join: readonly string[] = [],
): Promise<Grid> {
  const options = { name: 'shop', secret: SECRET, listen: ['/ip4/127.0.0.1/tcp/0'], join, mdns: false, logger: silent }
  const grid = await openGrid({ ...options, guests: { listen, ...guests } })
  open.push(grid)
  return grid
}

const passOf = (member: Grid, subject: string, grants: readonly Grant[] = BOARDS): Promise<string> =>
  member.issuePass({ subject, expiresInMs: 3_600_000, grants })

async function openGuest(
  members: readonly Grid[],
  pass: NonNullable<OpenGridOptions['pass']>,
  storage: Storage = memoryStorage(),
): Promise<Grid> {
  const join = members.flatMap((member) => [...member.status().guests!.addresses])
  const grid = await openGrid({ name: 'shop', pass, join, storage, logger: silent })
  open.push(grid)
  await grid.ready()
  return grid
}

async function close(grid: Grid): Promise<void> {
  open.splice(open.indexOf(grid), 1)
  await grid.close()
}

const BOARDS: readonly Grant[] = [{ doc: 'boards/42/', may: 'write' }]

async function textOf(grid: Grid, name: string): Promise<string> {
  const document = await grid.doc(name)
  const text = document.y.getText('body').toJSON()
  await document.close()
  return text
}

async function answered(guest: Grid): Promise<void> {
  // Edits of this turn are written at its end.
  await new Promise((resolve) => setTimeout(resolve, 20))
  await until(() => guest.status().guest?.waitingWrites === 0, 'the answers')
}

describe('a document of a guest', () => {
  it('is what members have, with text, maps and arrays, in both directions', async () => {
    const member = await openMember()
    const there = await member.doc('boards/42/a')
    there.y.getText('body').insert(0, 'from the member')
    await there.flush()
    const guest = await openGuest([member], await passOf(member, 'ada'))
    expect(guest.docs()).toEqual(['boards/42/a'])
    const here = await guest.doc('boards/42/a')
    expect(here.y.getText('body').toJSON()).toBe('from the member')
    here.y.getText('body').insert(15, ' and a guest')
    here.y.getMap('colours').set('sky', 'blue')
    here.y.getArray('list').push([1, 2])
    await until(() => there.y.getArray('list').length === 2, 'the edits')
    expect(there.y.getText('body').toJSON()).toBe('from the member and a guest')
    expect(there.y.getMap('colours').toJSON()).toEqual({ sky: 'blue' })
    there.y.getText('body').delete(0, 5)
    await until(() => here.y.getText('body').toJSON() === 'the member and a guest', 'the delete')
    await answered(guest)
  })

  it('of a member is in the store after a restart, with what else came', async () => {
    const member = await openMember()
    const there = await member.doc('boards/42/a')
    there.y.getText('body').insert(0, 'from the member')
    await there.flush()
    await member.map('board').set('a', 1)
    const storage = diskInMemory()
    const pass = await passOf(member, 'ada', [...BOARDS, { map: 'board', may: 'read' }])
    await close(await openGuest([member], pass, storage))
    const options = { name: 'shop', pass, join: ['/ip4/127.0.0.1/tcp/9/ws'], storage, logger: silent }
    const guest = await openGrid(options)
    open.push(guest)
    expect(await textOf(guest, 'boards/42/a')).toBe('from the member')
    expect(guest.map('board').peek('a')).toBe(1)
  })

  it('is edited offline, over a restart, and by two guests at once', async () => {
    const member = await openMember()
    const storage = diskInMemory()
    const pass = await passOf(member, 'ada')
    const first = await openGuest([member], pass, storage)
    const bob = await openGuest([member], await passOf(member, 'bob'))
    await first.disconnect()
    const before = await first.doc('boards/42/a')
    before.y.getText('body').insert(0, 'ada')
    await before.flush()
    const theirs = await bob.doc('boards/42/a')
    theirs.y.getText('body').insert(0, 'bob')
    await answered(bob)
    await close(first)
    const second = await openGuest([member], pass, storage)
    await answered(second)
    const after = await second.doc('boards/42/a')
    await until(() => after.y.getText('body').length === 6, 'both')
    await until(() => theirs.y.getText('body').length === 6, 'both at the other')
    expect(theirs.y.getText('body').toJSON()).toBe(after.y.getText('body').toJSON())
    expect(await textOf(member, 'boards/42/a')).toBe(after.y.getText('body').toJSON())
    // More than its rows hold: they are merged, by the guest, and members take the merged ones.
    for (let i = 0; i < 150; i++) {
      after.y.getText('body').insert(0, 'x')
      await after.flush()
    }
    await after.close()
    await answered(second)
    expect(await textOf(member, 'boards/42/a')).toHaveLength(156)
    const third = await openGuest([member], await passOf(member, 'cy'))
    expect(await textOf(third, 'boards/42/a')).toHaveLength(156)
  })

  it('has a name that the pass covers, and others are refused like those that do not exist', async () => {
    const member = await openMember()
    for (const name of ['boards/42/a', 'boards/42', 'boards/420/a', 'Boards/42/a', 'secret']) {
      const document = await member.doc(name)
      document.y.getText('body').insert(0, name)
      await document.flush()
    }
    const guest = await openGuest([member], await passOf(member, 'ada'))
    expect(guest.docs()).toEqual(['boards/42/a'])
    for (const name of ['boards/42', 'boards/420/a', 'Boards/42/a', 'secret', 'none'])
      await expect(guest.doc(name), name).rejects.toMatchObject({ code: 'FORBIDDEN' })
    const { table } = guest.documents.table.partition.replica
    const keys = [...table.slots()].map((slot) => table.key(slot))
    expect(keys.filter((key) => !key.startsWith('boards/42/'))).toEqual([])
    await expect(guest.deleteDoc('boards/42/a')).rejects.toMatchObject({ code: 'FORBIDDEN' })
  })

  it('that the pass covers for reading alone refuses edits, and ends', async () => {
    const member = await openMember()
    const guest = await openGuest([member], await passOf(member, 'ada', [{ doc: 'news/', may: 'read' }]))
    const document = await guest.doc('news/today')
    const refused = new Promise<string>((resolve) => document.on('refused', ({ error }) => resolve(error.code)))
    document.y.getText('body').insert(0, 'mine')
    expect(await refused).toBe('FORBIDDEN')
    expect(document.endedBy?.code).toBe('FORBIDDEN')
    expect(await textOf(guest, 'news/today')).toBe('')
    expect(guest.status().guest?.waitingWrites).toBe(0)
  })

  it('that was deleted ends, and begins again for all', async () => {
    const member = await openMember()
    const guest = await openGuest([member], await passOf(member, 'ada'))
    const before = await guest.doc('boards/42/a')
    before.y.getText('body').insert(0, 'first')
    await answered(guest)
    await member.deleteDoc('boards/42/a')
    await until(() => before.endedBy?.code === 'DOCUMENT_DELETED', 'the end')
    expect(guest.docs()).toEqual([])
    const again = await guest.doc('boards/42/a')
    again.y.getText('body').insert(0, 'second')
    await answered(guest)
    expect(await textOf(member, 'boards/42/a')).toBe('second')
    // A guest that comes later begins with the same number.
    await member.deleteDoc('boards/42/a')
    const late = await openGuest([member], await passOf(member, 'bob'))
    const third = await late.doc('boards/42/a')
    third.y.getText('body').insert(0, 'third')
    await answered(late)
    expect(await textOf(member, 'boards/42/a')).toBe('third')
  })

  it('that was compacted while a guest was away gets what the guest typed meanwhile', async () => {
    const member = await openMember()
    member.documents.limits = {
      ...member.documents.limits,
      checkMs: 50,
      quietMs: 100,
      settledAfterMs: 200,
      clientsMax: 1,
    }
    const pass = await passOf(member, 'ada')
    const storage = diskInMemory()
    const guest = await openGuest([member], pass, storage)
    const here = await guest.doc('boards/42/a')
    here.y.getText('body').insert(0, 'hello ')
    await answered(guest)
    await guest.disconnect()
    here.y.getText('body').insert(6, 'world')
    await here.flush()
    const there = await member.doc('boards/42/a')
    there.y.getText('body').insert(0, 'well, ')
    const ended = new Promise<string>((resolve) => there.on('ended', ({ error }) => resolve(error.code)))
    expect(await ended).toBe('DOCUMENT_GENERATION')
    const next = await member.doc('boards/42/a')
    await guest.connect()
    await until(() => next.y.getText('body').toJSON() === 'well, hello world', 'the late edit')
    await answered(guest)
    await until(async () => (await textOf(guest, 'boards/42/a')) === 'well, hello world', 'at the guest')
  })
})

describe('an edit that a member refuses', () => {
  const isBad = ({ value }: { readonly value: unknown }): boolean =>
    !new TextDecoder('latin1').decode(value as Uint8Array).includes('bad')

  it('ends the document with what was refused, and nothing of it is anywhere, also after a restart', async () => {
    const member = await openMember({ authorize: isBad })
    const storage = diskInMemory()
    const pass = await passOf(member, 'ada')
    const guest = await openGuest([member], pass, storage)
    const here = await guest.doc('boards/42/a')
    here.y.getText('body').insert(0, 'good')
    await answered(guest)
    const refused: string[] = []
    guest.on('refused', ({ error, write }) => refused.push(`${error.code} ${write?.doc}`))
    const update = new Promise<Uint8Array | undefined>((resolve) =>
      here.on('refused', (event) => resolve(event.update)),
    )
    here.y.getText('body').insert(4, ' bad')
    expect((await update)!.length).toBeGreaterThan(4)
    expect(here.endedBy?.code).toBe('FORBIDDEN')
    await answered(guest)
    expect(refused).toEqual(['FORBIDDEN boards/42/a'])
    const again = await guest.doc('boards/42/a')
    expect(again.y.getText('body').toJSON()).toBe('good')
    again.y.getText('body').insert(4, ' again')
    await answered(guest)
    expect(await textOf(member, 'boards/42/a')).toBe('good again')
    await close(guest)
    const later = await openGuest([member], pass, storage)
    expect(await textOf(later, 'boards/42/a')).toBe('good again')
  })

  it('takes those with it that were made after it offline, also under other client ids', async () => {
    const member = await openMember({ authorize: isBad })
    const storage = diskInMemory()
    const pass = await passOf(member, 'ada')
    const first = await openGuest([member], pass, storage)
    const before = await first.doc('boards/42/a')
    before.y.getText('body').insert(0, 'good')
    await answered(first)
    await first.disconnect()
    for (const text of [' bad', ' then', ' more']) {
      before.y.getText('body').insert(before.y.getText('body').length, text)
      await before.flush()
    }
    await close(first)
    const second = await openGrid({ name: 'shop', pass, join: ['/ip4/127.0.0.1/tcp/1/ws'], storage, logger: silent })
    open.push(second)
    const after = await second.doc('boards/42/a')
    expect(after.y.getText('body').toJSON()).toBe('good bad then more')
    after.y.getText('body').insert(4, '!')
    await after.flush()
    await close(second)
    const third = await openGuest([member], pass, storage)
    await answered(third)
    await until(async () => (await textOf(third, 'boards/42/a')) === 'good', 'what members have')
    expect(await textOf(member, 'boards/42/a')).toBe('good')
  })

  it('takes those with it that were made while it was on its way', async () => {
    const authorize = async (request: { readonly value: unknown }): Promise<boolean> => {
      if (!isBad(request)) await new Promise((resolve) => setTimeout(resolve, 300))
      return isBad(request)
    }
    const member = await openMember({ authorize })
    const guest = await openGuest([member], await passOf(member, 'ada'))
    const here = await guest.doc('boards/42/a')
    const body = here.y.getText('body')
    body.insert(0, 'good')
    await answered(guest)
    const rows = member.documents.table.rowsOf('boards/42/a').length
    for (const text of [' bad', ' then', ' more']) {
      body.insert(body.length, text)
      await here.flush()
      await new Promise((resolve) => setTimeout(resolve, 30))
    }
    await answered(guest)
    expect(here.endedBy?.code).toBe('FORBIDDEN')
    expect(await textOf(guest, 'boards/42/a')).toBe('good')
    expect(member.documents.table.rowsOf('boards/42/a')).toHaveLength(rows)
    // It goes on, as members have it.
    await until(() => guest.status().guest?.isCaughtUp === true, 'it is sent all again')
    expect(await textOf(guest, 'boards/42/a')).toBe('good')
  })
})

describe('awareness', () => {
  it('carries the subject, for members and guests, and goes with the guest', async () => {
    const member = await openMember()
    const ada = await openGuest([member], await passOf(member, 'ada'))
    const bob = await openGuest([member], await passOf(member, 'bob'))
    const [atMember, atAda, atBob] = await Promise.all([member, ada, bob].map((grid) => grid.doc('boards/42/a')))
    atAda!.awareness.setLocalState({ name: 'Ada' })
    const client = atAda!.awareness.clientID
    for (const other of [atMember!, atBob!]) {
      await until(() => other.awareness.getStates().get(client)?.['name'] === 'Ada', 'the state')
      expect(other.subjectOf(client)).toBe('ada')
    }
    expect(atAda!.subjectOf(atMember!.awareness.clientID)).toBe(undefined)
    await close(ada)
    await until(() => !atBob!.awareness.getStates().has(client), 'it goes')
    await until(() => !atMember!.awareness.getStates().has(client), 'it goes')
  })
})
