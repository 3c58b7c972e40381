import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Grid } from '../../grid.ts'
import type { LiveQuery } from '../../live/live-query.ts'
import { FollowedQuery } from '../../partitioned/live/followed-query.ts'
import type { PartitionedMap } from '../../partitioned/partitioned-map.ts'
import { HOUR_MS, closeAfterEach, openGuest, openMember, passOf } from '../../rig/guest-grids.ts'
import { until } from '../../rig/test-grids.ts'
import type { Grant } from '../grants.ts'
import { GUEST_LIVE_ROWS_MAX } from '../guest-limits.ts'

closeAfterEach()
afterEach(() => void vi.restoreAllMocks())

const OF = { mode: 'partitioned', partitions: 16, owners: 3 } as const

interface Score {
  readonly points: number
  readonly text?: string
}

const scores = (grid: Grid): PartitionedMap<Score> => grid.map<Score>('scores', OF)
const grantsOf = (...prefixes: readonly string[]): readonly Grant[] => {
  return prefixes.map((prefix) => ({ map: 'scores', prefix, may: 'write' }))
}

async function members(count: number): Promise<Grid[]> {
  const opened: Grid[] = []
  while (opened.length < count)
    opened.push(await openMember({ join: opened.flatMap(({ addresses }) => [...addresses]) }))
  for (const member of opened) scores(member)
  await until(() => opened.every((member) => member.status().partitions.whole === 16), 'copies')
  return opened
}

const shown = ({ rows }: LiveQuery<Score>): string => rows.map(({ key, value }) => `${key}=${value.points}`).join(' ')

async function shows(live: LiveQuery<Score>, expected: string): Promise<void> {
  await until(() => shown(live) === expected, `${expected}, not ${shown(live)}`)
}

describe('a live query of a partitioned map at a guest', () => {
  it('shows what its pass covers, in order, and follows writes, deletes and the limit', async () => {
    const [first, second] = (await members(2)) as [Grid, Grid]
    for (let i = 1; i <= 5; i++) await scores(first).set(`a/${i}`, { points: i }, { copies: 'all' })
    for (let i = 1; i <= 5; i++) await scores(first).set(`b/${i}`, { points: 100 + i }, { copies: 'all' })
    const guest = await openGuest(first, await passOf(first, grantsOf('a/', '{c}:'), 'ada'))
    const best = await scores(guest).live({ orderBy: '-points', limit: 3 })
    const odd = await scores(guest).live({
      where: { points: { $in: [1, 3, 5] } },
      orderBy: 'points',
      select: ['points'],
    })
    let reported = 0
    best.subscribe(() => (reported += 1))
    await shows(best, 'a/5=5 a/4=4 a/3=3')
    await until(() => best.complete && odd.complete, 'complete')
    expect(shown(odd as LiveQuery<Score>)).toBe('a/1=1 a/3=3 a/5=5')
    await scores(second).set('b/6', { points: 1000 })
    await scores(second).set('{c}:1', { points: 9 })
    await shows(best, '{c}:1=9 a/5=5 a/4=4')
    await scores(second).delete('{c}:1')
    await scores(guest).delete('a/5')
    await shows(best, 'a/4=4 a/3=3 a/2=2')
    await scores(first).set('a/1', { points: 50 })
    await shows(best, 'a/1=50 a/4=4 a/3=3')
    await shows(odd as LiveQuery<Score>, 'a/3=3')
    expect(reported).toBeGreaterThan(2)
    best.close()
    odd.close()
    await scores(first).set('a/9', { points: 99 })
    expect(shown(best)).toBe('a/1=50 a/4=4 a/3=3')
  })

  it('goes on at another member, without rows that have gone meanwhile', async () => {
    const [first, second] = (await members(2)) as [Grid, Grid]
    for (let i = 1; i <= 3; i++) await scores(first).set(`a/${i}`, { points: i }, { copies: 'all' })
    const guest = await openGuest([first, second], await passOf(first, grantsOf('a/'), 'ada'))
    const live = await scores(guest).live({ orderBy: 'points' })
    await until(() => live.complete, 'complete')
    const completes: boolean[] = []
    live.subscribe(() => completes.push(live.complete))
    await first.close()
    await until(() => !live.complete, 'it says so')
    expect(shown(live)).toBe('a/1=1 a/2=2 a/3=3')
    await scores(second).delete('a/1')
    await scores(second).set('a/4', { points: 4 })
    await shows(live, 'a/2=2 a/3=3 a/4=4')
    await until(() => live.complete, 'complete again')
    expect(completes).toContain(false)
    expect(completes.at(-1)).toBe(true)
  })

  it('loses what a smaller pass does not cover, shows what a larger one does, and is empty while there is nothing', async () => {
    const [first] = (await members(1)) as [Grid]
    for (const key of ['a/1', 'b/1', 'c/1']) await scores(first).set(key, { points: 1 })
    let grants = grantsOf('a/', 'b/')
    const guest = await openGuest(first, async () => first.issuePass({ subject: 'ada', expiresInMs: 6000, grants }))
    const live = await scores(guest).live()
    await shows(live, 'a/1=1 b/1=1')
    grants = grantsOf('b/', 'c/')
    await shows(live, 'b/1=1 c/1=1')
    grants = [{ map: 'other', may: 'read' }]
    await shows(live, '')
    expect(live.complete).toBe(false)
    grants = grantsOf('a/')
    await shows(live, 'a/1=1')
    await until(() => live.complete, 'complete')
  })

  it('shows 1,024 rows at most, and says that there are more', async () => {
    const [first] = (await members(1)) as [Grid]
    const all = Array.from({ length: GUEST_LIVE_ROWS_MAX + 1 }, (_, i): [string, Score] => [`a/${i}`, { points: i }])
    await scores(first).setMany(all)
    const guest = await openGuest(first, await passOf(first, grantsOf('a/'), 'ada'))
    const live = await scores(guest).live({ orderBy: '-points' })
    expect(live.rows.length).toBe(GUEST_LIVE_ROWS_MAX)
    expect(live.complete).toBe(false)
    await scores(first).delete(`a/${GUEST_LIVE_ROWS_MAX}`)
    await until(() => live.complete, 'all of them')
    expect(live.rows.length).toBe(GUEST_LIVE_ROWS_MAX)
  })

  it('of rows that are too large for a member is refused', async () => {
    const [first] = (await members(1)) as [Grid]
    const text = 'x'.repeat(900_000)
    for (let i = 0; i < 12; i++) await scores(first).set(`a/${i}`, { points: i, text })
    const guest = await openGuest(first, await passOf(first, grantsOf('a/'), 'ada'))
    await expect(scores(guest).live()).rejects.toMatchObject({ code: 'QUERY_TOO_LARGE' })
    await expect(scores(guest).live({ where: { points: { $lt: 3 } } })).resolves.toMatchObject({ complete: true })
    await expect(scores(guest).live({ limit: 0 })).rejects.toMatchObject({ code: 'INVALID_QUERY' })
  })

  it('that many guests have is followed once, and no more when they have gone', async () => {
    const [first] = (await members(1)) as [Grid]
    await scores(first).set('a/1', { points: 1 })
    const stop = vi.spyOn(FollowedQuery.prototype, 'stop')
    const begin = vi.spyOn(FollowedQuery.prototype, 'begin')
    const guests = []
    for (const name of ['ada', 'bob', 'eve'])
      guests.push(await openGuest(first, await passOf(first, grantsOf('a/'), name)))
    const lives = await Promise.all(guests.map((guest) => scores(guest).live({ orderBy: 'points' })))
    expect(begin.mock.calls.length).toBe(1)
    await scores(first).set('a/2', { points: 2 })
    for (const live of lives) await shows(live, 'a/1=1 a/2=2')
    lives[0]!.close()
    await scores(first).set('a/3', { points: 3 })
    for (const live of lives.slice(1)) await shows(live, 'a/1=1 a/2=2 a/3=3')
    expect(stop).not.toHaveBeenCalled()
    for (const live of lives) live.close()
    await until(() => stop.mock.calls.length > 0, 'the end')
  })

  it('without a connection is refused after its time', async () => {
    const [first] = (await members(1)) as [Grid]
    const guest = await openGuest(first, await passOf(first, grantsOf('a/'), 'ada', HOUR_MS))
    await guest.ready()
    await first.close()
    await expect(scores(guest).live({}, { timeoutMs: 300 })).rejects.toMatchObject({ code: 'NETWORK_NOT_CONNECTED' })
  })
})
