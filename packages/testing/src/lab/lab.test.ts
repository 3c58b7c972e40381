import { afterEach, describe, expect, it } from 'vitest'
import { openLab } from './lab.ts'
import type { Lab } from './lab.ts'
import type { OpenLabOptions } from './lab-options.ts'

type Grid = Lab['grids'][number]

const labs: Lab[] = []

async function lab(options?: OpenLabOptions): Promise<Lab> {
  const opened = await openLab(options)
  labs.push(opened)
  return opened
}

afterEach(async () => {
  for (const opened of labs.splice(0)) await opened.close()
})

/** A naive claim of a name: nothing keeps two peers from doing this at once. */
async function putIfAbsent(grid: Grid, name: string, owner: string): Promise<boolean> {
  const names = grid.map<string>('names')
  if ((await names.get(name)) !== undefined) return false
  await names.set(name, owner)
  return true
}

describe('a lab', () => {
  it('parts peers in a split, and brings them together when it heals', async () => {
    const opened = await lab({ peers: 3, latencyMs: 5 })
    const { grids } = opened
    opened.split([0], [1, 2])
    await grids[0]!.map('m').set('left', 1)
    await grids[1]!.map('m').set('right', 2)
    await opened.converged()
    expect(grids.map((grid) => grid.map('m').peek('left'))).toEqual([1, undefined, undefined])
    expect(grids.map((grid) => grid.map('m').peek('right'))).toEqual([undefined, 2, 2])
    opened.heal()
    await opened.converged()
    expect(grids.map((grid) => [grid.map('m').peek('left'), grid.map('m').peek('right')])).toEqual([
      [1, 2],
      [1, 2],
      [1, 2],
    ])
  })

  it('takes its latency from one peer to the other', async () => {
    const { grids } = await lab({ peers: 2, latencyMs: 200 })
    const arrived = new Promise((resolve) => grids[1]!.map('m').on('change', resolve))
    const startMs = performance.now()
    await grids[0]!.map('m').set('a', 1)
    await arrived
    // A timer may fire a millisecond early.
    expect(performance.now() - startMs).toBeGreaterThan(198)
  })

  it('shows how a naive put-if-absent loses one of two owners', async () => {
    const opened = await lab({ peers: 2 })
    opened.split([0], [1])
    const [ada, ben] = opened.grids as [Grid, Grid]
    expect(await putIfAbsent(ada, 'boss', 'ada')).toBe(true)
    expect(await putIfAbsent(ben, 'boss', 'ben')).toBe(true)
    opened.heal()
    await opened.converged()
    const owners = opened.grids.map((grid) => grid.map<string>('names').peek('boss'))
    expect(new Set(owners).size).toBe(1)
  })

  it('loses what was not durable in a crash, and nothing else', async () => {
    const opened = await lab({ peers: 2 })
    opened.split([0], [1])
    const { peerId } = opened.grids[1]!
    await opened.grids[1]!.map('m').set('durable', 1)
    const late = opened.grids[1]!.map('m').set('late', 2)
    opened.crash(1)
    await expect(late).rejects.toMatchObject({ code: 'CLOSED' })
    expect(() => opened.grids[1]!.map('m')).toThrow('the grid is closed')
    expect(() => opened.crash(1)).toThrow('peer 1 does not run: restart it first')
    const again = await opened.restart(1)
    expect(again).toBe(opened.grids[1])
    expect(again.peerId).toBe(peerId)
    expect(await again.map('m').get('durable')).toBe(1)
    expect(await again.map('m').get('late')).toBe(undefined)
    // It is still split off.
    await opened.converged()
    expect(opened.grids[0]!.map('m').peek('durable')).toBe(undefined)
    opened.heal()
    await opened.converged()
    expect(opened.grids[0]!.map('m').peek('durable')).toBe(1)
  })

  it('restarts a peer without a disk as an empty one, on its side of the split', async () => {
    const opened = await lab({ peers: 3, disk: false })
    await opened.grids[0]!.map('m').set('a', 1)
    await opened.converged()
    opened.split([0], [1, 2])
    const { peerId } = opened.grids[0]!
    const again = await opened.restart(0)
    expect(again.peerId).not.toBe(peerId)
    await opened.converged()
    expect(again.map('m').size).toBe(0)
    opened.heal()
    await opened.converged()
    expect(again.map('m').peek('a')).toBe(1)
  })

  it('repairs what a lossy network has lost', async () => {
    const opened = await lab({ peers: 3 })
    opened.lose(0.5)
    await Promise.all(Array.from({ length: 60 }, (_, i) => opened.grids[i % 3]!.map('m').set(`k${i}`, i)))
    await opened.converged({ timeoutMs: 60_000 })
    expect(opened.grids.map((grid) => grid.map('m').size)).toEqual([60, 60, 60])
  })

  it('outvotes one clock that is ahead', async () => {
    const opened = await lab({ peers: 3 })
    opened.clock(2).ahead('1h')
    await opened.grids[2]!.map('m').set('k', 'from the future')
    await opened.grids[0]!.map('m').set('other', 1)
    await opened.converged({ timeoutMs: 60_000 })
    await opened.grids[0]!.map('m').set('k', 'later')
    await opened.converged({ timeoutMs: 60_000 })
    expect(opened.grids.map((grid) => grid.map('m').peek('k'))).toEqual(['later', 'later', 'later'])
  })

  it('lets entries expire when time passes', async () => {
    const opened = await lab({ peers: 2 })
    await opened.grids[0]!.map('sessions').set('s', 1, { ttlMs: 30 * 60_000 })
    await opened.converged()
    opened.pass('29m')
    expect(opened.grids.map((grid) => grid.map('sessions').peek('s'))).toEqual([1, 1])
    opened.pass('2m')
    expect(opened.grids.map((grid) => grid.map('sessions').peek('s'))).toEqual([undefined, undefined])
  })

  it('has partitioned maps, whose copies are equal once it has converged', async () => {
    const opened = await lab({ peers: 4 })
    const maps = opened.grids.map((grid) =>
      grid.map<number>('carts', { mode: 'partitioned', owners: 2, partitions: 16 }),
    )
    await Promise.all(Array.from({ length: 40 }, (_, i) => maps[i % 4]!.set(`k${i}`, i)))
    await opened.converged({ timeoutMs: 60_000 })
    opened.split([0, 1], [2, 3])
    await maps[0]!.set('left', 1)
    await maps[3]!.set('right', 2)
    await opened.converged({ timeoutMs: 60_000 })
    opened.heal()
    await opened.converged({ timeoutMs: 60_000 })
    expect(await maps[3]!.get('left')).toBe(1)
    expect(await maps[0]!.get('right')).toBe(2)
    expect((await maps[1]!.size()).size).toBe(42)
  })

  it('says what still differs, and in which peers', async () => {
    const opened = await lab({ peers: 2 })
    opened.lose(0.999999)
    await opened.grids[1]!.map('users').set('k', 1)
    await expect(opened.converged({ timeoutMs: 20 })).rejects.toThrow(
      'the peers did not converge within 20 ms: peers 0 and 1 differ in map "users"',
    )
  })

  it('passes options on to the grids', async () => {
    const opened = await lab({ peers: 2, grid: (peer) => ({ name: 'shop', zone: `zone ${peer}` }) })
    expect(opened.grids[0]!.name).toBe('shop')
    expect(opened.grids.map(({ members }) => members.find(({ self }) => self)!.zone)).toEqual(['zone 0', 'zone 1'])
  })

  it('refuses what makes no sense', async () => {
    await expect(openLab({ peers: 0 })).rejects.toThrow('peers must be a whole number from 1 to 32, not 0')
    await expect(openLab({ latencyMs: -1 })).rejects.toThrow('latencyMs must be a number from 0 to 10000, not -1')
    await expect(openLab({ latency: 3 } as never)).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    for (const options of [
      ...[{ peers: '3' }, { latencyMs: '20' }, { latencyMs: null }, { disk: 'yes' }, { disk: 0 }],
      ...[{ grid: { zone: 'a' } }, { grid: () => ({ mdns: false }) }, { grid: () => 'zone a' }],
      ...[null, 3, 'lab', []],
    ])
      await expect(openLab(options as never), JSON.stringify(options)).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    const opened = await lab({ peers: 2 })
    expect(() => opened.split([0], [2])).toThrow('there is no peer 2: this lab has the peers 0 to 1')
    for (const groups of [[0, 1], [undefined], ['01'], [['0']], [[0], { length: 1 }]] as unknown as number[][][])
      expect(() => opened.split(...groups), String(groups)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }))
    for (const call of ['crash', 'clock'] as const)
      expect(() => opened[call]('0' as never)).toThrow(
        'a peer is a number, not the text "0": this lab has the peers 0 to 1',
      )
    await expect(opened.restart(undefined as never)).rejects.toThrow('a peer is a number, not undefined')
    await expect(opened.converged({ timeoutMs: '20' as never })).rejects.toThrow('timeoutMs must be a number')
    await expect(opened.converged({ timeout: 20 } as never)).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    expect(() => opened.split([0, 1], [1])).toThrow('a peer can be in one group only')
    expect(() => opened.lose(1)).toThrow('the share that is lost must be a number from 0 to less than 1, not 1')
    expect(() => opened.clock(0).ahead('an hour')).toThrow('the text "an hour" is no length of time')
    expect(() => opened.pass('-1h')).toThrow('the text "-1h" is no length of time')
  })
})
