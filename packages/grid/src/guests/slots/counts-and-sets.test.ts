import { describe, expect, it } from 'vitest'
import type { Grid } from '../../grid.ts'
import { mainOf } from '../../keyed/key-elements.ts'
import { answered, closeAfterEach, copyOf, openGuest, openMember, passOf, refusedOf } from '../../rig/guest-grids.ts'
import { diskInMemory, until } from '../../rig/test-grids.ts'
import { addRows, liveRows } from '../../sets/element-rows.ts'
import type { Grant } from '../grants.ts'
import { setName } from '../covering.ts'
import { mapPartition } from '../serving/guest-reads.ts'

closeAfterEach()

const OWN: readonly Grant[] = [
  { counter: 'visits', may: 'write' },
  { counter: 'votes', prefix: '42/', may: 'write' },
  { counter: 'sales', may: 'read' },
  { set: 'tags', may: 'write' },
  { set: 'labels', prefix: '42/', may: 'write' },
  { set: 'staff', may: 'read' },
]

const sorted = (elements: Iterable<unknown>): string[] => Array.from(elements, String).toSorted()

/** Two members that know each other. */
async function twoMembers(): Promise<readonly [Grid, Grid]> {
  const first = await openMember()
  const second = await openMember({ join: first.addresses })
  await second.ready()
  return [first, second]
}

describe('counters of guests', () => {
  it('count with those of members, at once here and soon there', async () => {
    const member = await openMember()
    await member.counter('visits').increment(10)
    await member.counters('votes').increment('42/a', 5)
    await member.counters('votes').increment('43/b', 100)
    await member.counter('sales').increment(3)
    const guest = await openGuest(member, await passOf(member, OWN))
    await guest.ready()
    const [visits, votes] = [guest.counter('visits'), guest.counters('votes')]
    expect([visits.value, votes.peek('42/a'), votes.peek('43/b'), guest.counter('sales').value]).toEqual([
      10,
      5,
      undefined,
      3,
    ])
    void visits.increment(2)
    expect(visits.value).toBe(12)
    await votes.decrement('42/a', 7)
    await member.counter('visits').increment()
    await answered(guest)
    await until(() => visits.value === 13 && member.counter('visits').value === 13, 'the visits')
    expect([votes.peek('42/a'), member.counters('votes').peek('42/a')]).toEqual([-2, -2])
    for (const write of [
      () => guest.counter('sales').increment(),
      () => guest.counters('votes').increment('43/b'),
      () => guest.counter('votes').increment(),
      () => guest.counters('visits2').increment('x'),
    ])
      await expect((async () => write())()).rejects.toMatchObject({
        code: expect.stringMatching(/FORBIDDEN|COLLECTION_MISMATCH/),
      })
  })

  it('count offline, over restarts and at two members each once, also where answers were lost', async () => {
    const [first, second] = await twoMembers()
    const pass = await passOf(first, OWN)
    const disk = diskInMemory()
    const guest = await openGuest(first, pass, disk)
    await guest.ready()
    await guest.counter('visits').increment(5)
    await guest.counters('votes').increment('42/a', 5)
    await answered(guest)
    await guest.disconnect()
    await second.disconnect()
    await guest.counter('visits').increment(3)
    await guest.counters('votes').increment('42/a', 3)
    const old = await copyOf(disk)
    await guest.connect()
    await answered(guest)
    await guest.close()
    // The answers were lost, and the second member knows nothing of these writes.
    const again = await openGuest(second, pass, old)
    expect([again.counter('visits').value, again.counters('votes').peek('42/a')]).toEqual([8, 8])
    expect(again.status().guest?.waitingWrites).toBe(2)
    await again.counter('visits').increment(1)
    await again.counters('votes').increment('42/a', 1)
    await answered(again)
    await second.connect()
    for (const grid of [first, second, again])
      await until(() => grid.counter('visits').value === 9 && grid.counters('votes').peek('42/a') === 9, 'the counts')
  })

  it('that a member refuses count nothing, and later ones count', async () => {
    const asked: unknown[] = []
    const authorize = (request: { value: unknown }): boolean => (asked.push(request), request.value !== 13)
    const member = await openMember({ guests: { listen: ['/ip4/127.0.0.1/tcp/0/ws'], authorize } })
    await member.counter('visits').increment(1)
    const disk = diskInMemory()
    const pass = await passOf(member, OWN)
    const guest = await openGuest(member, pass, disk)
    const refused = refusedOf(guest)
    await guest.ready()
    for (const by of [13, 2, 13, 4]) {
      await guest.counter('visits').increment(by)
      await guest.counters('votes').increment('42/a', by)
      await answered(guest)
    }
    expect(refused).toEqual([
      { code: 'FORBIDDEN', key: '' },
      { code: 'FORBIDDEN', key: '42/a' },
      { code: 'FORBIDDEN', key: '' },
      { code: 'FORBIDDEN', key: '42/a' },
    ])
    for (const grid of [member, guest])
      expect([grid.counter('visits').value, grid.counters('votes').peek('42/a')]).toEqual([7, 6])
    await guest.close()
    const again = await openGuest(member, pass, disk)
    expect([again.counter('visits').value, again.counters('votes').peek('42/a')]).toEqual([7, 6])
    expect(again.status().recoveries).toEqual([])
    expect(asked.slice(2, 4)).toMatchObject([
      { map: '', counter: 'visits', key: '', value: 2, previous: 1 },
      { map: '', counter: 'votes', key: '42/a', value: 2, previous: undefined },
    ])
  })

  it('that one member has taken and another one refuses keep what was taken', async () => {
    const authorize = ({ value }: { value: unknown }): boolean => value !== 5
    const first = await openMember()
    const second = await openMember({
      join: first.addresses,
      guests: { listen: ['/ip4/127.0.0.1/tcp/0/ws'], authorize },
    })
    await second.ready()
    await second.disconnect()
    const pass = await passOf(first, OWN)
    const disk = diskInMemory()
    const guest = await openGuest(second, pass, disk)
    await guest.ready()
    await guest.disconnect()
    await guest.counter('visits').increment(5)
    // As if it had been at the first member, and the answer was lost.
    const elsewhere = await openGuest(first, pass, await copyOf(disk))
    await answered(elsewhere)
    await elsewhere.close()
    await guest.connect()
    await answered(guest)
    expect(guest.counter('visits').value).toBe(0)
    await guest.counter('visits').increment(1)
    await answered(guest)
    await second.connect()
    for (const grid of [first, second, guest]) await until(() => grid.counter('visits').value === 6, 'the count')
  })

  it('are deleted as far as the guest has seen them', async () => {
    const [first, second] = await twoMembers()
    await first.counters('votes').increment('42/a', 5)
    await until(() => second.counters('votes').peek('42/a') === 5, 'the count')
    const guest = await openGuest(first, await passOf(first, OWN))
    await guest.ready()
    await guest.counters('votes').increment('42/a', 2)
    await answered(guest)
    await second.disconnect()
    await second.counters('votes').increment('42/a', 4)
    await guest.counters('votes').delete('42/a')
    expect(guest.counters('votes').peek('42/a')).toBeUndefined()
    await answered(guest)
    expect(first.counters('votes').peek('42/a')).toBeUndefined()
    await guest.counters('votes').increment('42/a', 1)
    await answered(guest)
    await second.connect()
    for (const grid of [first, second, guest])
      await until(() => grid.counters('votes').peek('42/a') === 5, 'what no delete had seen')
    // What was removed left tombstones, and the count goes on in other rows.
    const { table } = first.pump.peer.collections.get('votes', 7)!.partitions[0]!.replica
    expect([...table.slots()].filter((slot) => table.deleted(slot)).length).toBe(2)
  })
})

describe('sets of guests', () => {
  it('gain and lose elements with those of members', async () => {
    const member = await openMember()
    await member.set('tags').add('red')
    await member.sets('labels').add('42/a', { big: true })
    await member.sets('labels').add('43/b', 'theirs')
    await member.set('staff').add('bob')
    const guest = await openGuest(member, await passOf(member, OWN))
    await guest.ready()
    const [tags, labels] = [guest.set('tags'), guest.sets('labels')]
    expect([sorted(tags.getSnapshot()), labels.peek('42/a'), labels.peek('43/b')]).toEqual([
      ['red'],
      [{ big: true }],
      undefined,
    ])
    await tags.add('blue')
    await tags.delete('red')
    await labels.add('42/a', 'new')
    await labels.remove('42/a', { big: true })
    expect([sorted(tags.getSnapshot()), labels.peek('42/a')]).toEqual([['blue'], ['new']])
    await answered(guest)
    expect([sorted(member.set('tags').getSnapshot()), member.sets('labels').peek('42/a')]).toEqual([['blue'], ['new']])
    await tags.delete('blue')
    await member.set('tags').add('green')
    await answered(guest)
    await until(() => tags.holds('green'), 'the element')
    expect(sorted(member.set('tags').getSnapshot())).toEqual(['green'])
    for (const write of [() => guest.set('staff').add('eve'), () => guest.sets('labels').add('43/b', 'x')])
      await expect((async () => write())()).rejects.toMatchObject({ code: 'FORBIDDEN' })
  })

  it('keep the adds of others where an add is refused, and replace them where there are many and it is taken', async () => {
    const authorize = ({ value }: { value: unknown }): boolean => value !== 'red'
    const member = await openMember({ guests: { listen: ['/ip4/127.0.0.1/tcp/0/ws'], authorize } })
    const [tags, labels] = [member.set('tags'), member.sets('labels')]
    const mains = ['tred', 'tblue', mainOf('42/a', 'tred'), mainOf('42/a', 'tblue')]
    const partitions = mains.map((_, i) =>
      mapPartition(member.pump.peer.collections, setName(i < 2 ? 'tags' : 'labels'))!,
    )
    const slots = ['1', '2', '3', '4'].map((digit) => digit.repeat(16))
    const rows = mains.flatMap((main, i) => slots.flatMap((slot) => addRows(partitions[i]!, main, slot, [])))
    await member.pump.writes.writeRows(rows)
    const guest = await openGuest(member, await passOf(member, OWN))
    await guest.ready()
    for (const element of ['red', 'blue']) {
      await guest.set('tags').add(element)
      await guest.sets('labels').add('42/a', element)
    }
    await answered(guest)
    expect([sorted(tags.getSnapshot()), labels.peek('42/a')?.toSorted()]).toEqual([
      ['blue', 'red'],
      ['blue', 'red'],
    ])
    expect(mains.map((main, i) => liveRows(partitions[i]!, main).length)).toEqual([4, 1, 4, 1])
  })

  it('keep an add that the guest had not seen when it removed the element', async () => {
    const [first, second] = await twoMembers()
    await first.set('tags').add('red')
    await first.set('tags').add('old')
    await until(() => second.set('tags').holds('old'), 'the elements')
    const guest = await openGuest(first, await passOf(first, OWN))
    await guest.ready()
    await guest.disconnect()
    // At one member, and at another one that the first has not heard of.
    await first.set('tags').add('red')
    await guest.set('tags').delete('red')
    await guest.set('tags').delete('old')
    expect(guest.set('tags').getSnapshot()).toEqual([])
    await guest.connect()
    await answered(guest)
    for (const grid of [first, second, guest]) {
      await until(() => !grid.set('tags').holds('old'), 'the remove')
      await until(() => grid.set('tags').holds('red'), 'the add')
    }
  })

  it('remove at a member that has not seen the add, and the add does not come back', async () => {
    const [first, second] = await twoMembers()
    const pass = await passOf(first, OWN)
    const disk = diskInMemory()
    const guest = await openGuest(first, pass, disk)
    await guest.ready()
    await second.disconnect()
    await first.set('tags').add('theirs')
    await guest.set('tags').add('mine')
    await answered(guest)
    await until(() => guest.set('tags').holds('theirs'), 'the element')
    await guest.close()
    const there = await openGuest(second, pass, disk)
    await there.set('tags').delete('theirs')
    await there.set('tags').delete('mine')
    await answered(there)
    await second.connect()
    await second.set('tags').add('mark')
    for (const grid of [first, second, there]) {
      await until(() => grid.set('tags').holds('mark'), 'the mark')
      await until(() => sorted(grid.set('tags').getSnapshot()).join() === 'mark', 'the removes')
    }
  })

  it('forget what a member refuses, also over a restart', async () => {
    const authorize = ({ value, previous }: { value: unknown; previous: unknown }): boolean =>
      value !== 'bad' && previous !== 'kept'
    const member = await openMember({ guests: { listen: ['/ip4/127.0.0.1/tcp/0/ws'], authorize } })
    await member.set('tags').add('kept')
    const disk = diskInMemory()
    const pass = await passOf(member, OWN)
    const guest = await openGuest(member, pass, disk)
    const refused: unknown[] = []
    guest.on('refused', ({ write }) => refused.push(write))
    await guest.ready()
    await guest.set('tags').add('bad')
    await guest.set('tags').delete('kept')
    await answered(guest)
    expect(refused).toEqual([
      { collection: 'tags', key: '', field: undefined, element: 'bad' },
      { collection: 'tags', key: '', field: undefined, element: 'kept' },
    ])
    expect(guest.set('tags').getSnapshot()).toEqual(['kept'])
    await guest.close()
    const again = await openGuest(member, pass, disk)
    expect(again.set('tags').getSnapshot()).toEqual(['kept'])
    await again.ready()
    expect(member.set('tags').getSnapshot()).toEqual(['kept'])
  })

  it('of a guest whose clock is far ahead lose what it removes', async () => {
    const [first, second] = await twoMembers()
    const clock = { wallMs: () => Date.now() + 24 * 3_600_000 }
    const disk = diskInMemory()
    const pass = await passOf(first, OWN, 'ada', 72 * 3_600_000)
    const guest = await openGuest(first, pass, disk, clock)
    await guest.ready()
    await guest.set('tags').add('a')
    await answered(guest)
    await until(() => second.set('tags').holds('a'), 'the add')
    await guest.set('tags').delete('a')
    await guest.set('tags').add('b')
    await guest.set('tags').delete('b')
    await answered(guest)
    for (const grid of [first, second, guest])
      await until(() => grid.set('tags').getSnapshot().length === 0, 'the removes')
    expect(first.status().clock).toMatchObject({ heldWrites: 0, refusedWrites: 0 })
  })
})

it('a guest whose clock is far ahead removes an add of its own that one member has taken and another one does not know', async () => {
  const release = Promise.withResolvers<boolean>()
  let asked = 0
  const authorize = (): Promise<boolean> => ((asked += 1), release.promise)
  const first = await openMember()
  const second = await openMember({ join: first.addresses, guests: { listen: ['/ip4/127.0.0.1/tcp/0/ws'], authorize } })
  await second.ready()
  await second.disconnect()
  const clock = { wallMs: () => Date.now() + 24 * 3_600_000 }
  const disk = diskInMemory()
  const pass = await passOf(first, OWN, 'ada', 72 * 3_600_000)
  const guest = await openGuest(second, pass, disk, clock)
  await guest.ready()
  await guest.set('tags').add('a')
  await until(() => asked > 0, 'the add')
  const elsewhere = await openGuest(first, pass, await copyOf(disk), clock)
  await answered(elsewhere)
  await elsewhere.close()
  expect(first.set('tags').holds('a')).toBe(true)
  await guest.disconnect()
  await guest.set('tags').delete('a')
  await until(() => second.status().guests?.connected === 0, 'the end of the connection')
  release.resolve(true)
  await guest.connect()
  await answered(guest)
  await second.connect()
  await second.set('tags').add('mark')
  for (const grid of [first, second, guest])
    await until(() => sorted(grid.set('tags').getSnapshot()).join() === 'mark', 'the remove')
})

it('a guest with smaller grants has no sets and counters any more that they do not cover', async () => {
  const member = await openMember()
  await member.set('tags').add('red')
  await member.counter('visits').increment(2)
  await member.sets('labels').add('42/a', 'x')
  await member.sets('labels').add('42/b', 'y')
  const disk = diskInMemory()
  const guest = await openGuest(member, await passOf(member, OWN), disk)
  await guest.ready()
  expect(guest.counter('visits').value).toBe(2)
  await guest.close()
  // A prefix covers keys, and a single set has none.
  const grants: readonly Grant[] = [
    { set: 'labels', prefix: '42/a', may: 'read' },
    { set: 'tags', prefix: 'tr', may: 'write' },
    { map: 'visits', may: 'write' },
  ]
  const again = await openGuest(member, await passOf(member, grants), disk)
  await again.ready()
  expect([again.set('tags').getSnapshot(), [...(again.sets('labels').peek('42/a') ?? [])]]).toEqual([[], ['x']])
  expect([again.sets('labels').peek('42/b'), again.counter('visits').value]).toEqual([undefined, 0])
})
