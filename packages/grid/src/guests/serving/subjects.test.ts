import { describe, expect, it } from 'vitest'
import type { Grid } from '../../grid.ts'
import type { Change } from '../../maps/map-change.ts'
import { answered, closeAfterEach, openGuest, openMember, passOf } from '../../rig/guest-grids.ts'
import { diskInMemory, until } from '../../rig/test-grids.ts'
import type { Grant } from '../grants.ts'

closeAfterEach()

const OWN: readonly Grant[] = [{ map: 'todos', may: 'write' }]
type Merge = 'value' | 'fields'

/** Changes as text: type, key, who, and whether it was here. */
function follow(grid: Grid, merge: Merge): string[] {
  const seen: string[] = []
  grid.map<object>('todos', { merge }).on('change', (change) => seen.push(said(change)))
  return seen
}

function said({ type, key, subject, local }: Change<object>): string {
  return `${type} ${key} ${subject ?? '-'}${local ? ' here' : ''}`
}

/** The last write of each entry that is there. */
async function initial(grid: Grid, merge: Merge): Promise<string[]> {
  const map = grid.map<object>('todos', { merge })
  const seen: string[] = []
  const { size } = map
  for await (const change of map.changes({ initial: true })) if (seen.push(said(change)) === size) break
  return seen.toSorted()
}

const joined = (member: Grid): { join: readonly string[] } => ({ join: member.addresses })

describe.each(['value', 'fields'] as const)('a change of a map that merges by %s', (merge) => {
  const options = { merge } as const

  it('says which subject wrote or deleted, at members and at guests that may see it', async () => {
    const one = await openMember()
    const three = await openMember(joined(one))
    const ada = await openGuest(one, await passOf(one, OWN, 'ada'))
    const tablet = await openGuest(three, await passOf(one, OWN, 'ada'))
    const bob = await openGuest(three, await passOf(one, OWN, 'bob'))
    await Promise.all([ada, tablet, bob, three].map((grid) => grid.ready()))
    const [atOne, atThree, atAda, atTablet, atBob] = [one, three, ada, tablet, bob].map((grid) => follow(grid, merge))
    await ada.map<object>('todos', options).set('milk', { x: 1 })
    await until(() => atThree!.length > 0 && atBob!.length > 0 && atTablet!.length > 0, 'the set')
    await bob.map<object>('todos', options).delete('milk')
    await until(() => atOne!.length > 1 && atAda!.length > 1 && atTablet!.length > 1, 'the delete')
    await one.map<object>('todos', options).set('milk', { x: 2 })
    await until(() => [atThree, atAda, atTablet, atBob].every((seen) => seen!.length > 2), 'the write of a member')
    const expected = ['set milk ada', 'delete milk bob', 'set milk -']
    expect(atThree).toEqual(['set milk ada', 'delete milk bob here', 'set milk -'])
    expect(atTablet).toEqual(expected)
    expect(atOne).toEqual(['set milk ada here', 'delete milk bob', 'set milk - here'])
    expect(atAda).toEqual(['set milk - here', ...expected.slice(1)])
    expect(atBob).toEqual(['set milk ada', 'delete milk - here', 'set milk -'])
    expect(bob.map('todos', options).peek('milk')).toEqual({ x: 2 })
    await answered(ada)
  })

  it('says it after a session, after restarts of members and guests, and until a member overwrites it', async () => {
    const storage = diskInMemory()
    const first = await openMember({ storage })
    const phone = diskInMemory()
    const ada = await openGuest(first, await passOf(first, OWN, 'ada'), phone)
    await ada.ready()
    const todos = ada.map<object>('todos', options)
    for (const key of ['a', 'b', 'c']) await todos.set(key, { [key]: 1 })
    await answered(ada)
    await first.map<object>('todos', options).set('c', { c: 2 })
    const bob = await openGuest(first, await passOf(first, OWN, 'bob'))
    await bob.ready()
    expect(await initial(bob, merge)).toEqual(['set a ada', 'set b ada', 'set c -'])
    await Promise.all([ada.close(), bob.close(), first.close()])
    const again = await openMember({ storage })
    expect(await initial(again, merge)).toEqual(['set a ada here', 'set b ada here', 'set c - here'])
    const second = await openMember(joined(again))
    const seen = follow(second, merge)
    await second.ready()
    await until(() => seen.length >= 3, 'the session')
    expect(seen.toSorted()).toEqual(['set a ada', 'set b ada', 'set c -'])
    const back = await openGuest(second, await passOf(second, OWN, 'ada'), phone)
    const news = follow(back, merge)
    await back.ready()
    expect(news).toEqual([])
    expect(back.map('todos', options).peek('a')).toEqual({ a: 1 })
  })

  it('is of no subject where an entry of a guest expires', async () => {
    const member = await openMember()
    const ada = await openGuest(member, await passOf(member, OWN, 'ada'))
    await ada.ready()
    const seen = follow(member, merge)
    const todos = ada.map<object>('todos', options)
    await todos.set('soon', { x: 1 }, { ttlMs: 1000 })
    await until(() => seen.length === 2, 'it is gone')
    expect(seen).toEqual(['set soon ada here', 'delete soon -'])
  })
})

it('what members store of a write is the bare value for all that reads it: queries, indexes, snapshots, undo', async () => {
  const member = await openMember()
  const ada = await openGuest(member, await passOf(member, OWN, 'ada'))
  await ada.ready()
  const todos = member.map<{ x: number }>('todos')
  const undo = await todos.undoManager()
  await todos.index('x')
  await ada.map('todos').set('theirs', { x: 2 })
  await answered(ada)
  expect((await todos.query({ where: { x: 2 } })).rows.map(({ key }) => key)).toEqual(['theirs'])
  expect(todos.snapshot()).toEqual([['theirs', { x: 2 }]])
  await todos.set('theirs', { x: 3 })
  const seen = follow(member, 'value')
  await undo.undo()
  expect(todos.peek('theirs')).toEqual({ x: 2 })
  await until(() => seen.length > 0, 'the change')
  expect(seen).toEqual(['set theirs - here'])
  undo.close()
})
