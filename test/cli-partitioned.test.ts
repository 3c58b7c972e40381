import { afterAll, beforeAll, expect, test } from 'vitest'
import { join } from 'node:path'
import { Surroundings, ended, folder, killed, removeAll, until } from './cli-rig/surroundings.ts'

const here = new Surroundings('spread')

beforeAll(async () => {
  await here.peer('--name', 'spread')
  await here.ok('set', 'carts', '42', 'tea', '--partitioned', '--owners', '2', '--partitions', '32')
})
afterAll(removeAll)

async function failure(...words: string[]): Promise<string> {
  const { code, stderr } = await here.run(words)
  return `${code} ${stderr}`
}

test('a partitioned map is made, written, read and deleted', async () => {
  expect(await here.ok('get', 'carts', '42')).toBe('"tea"\n')
  const { receipt } = JSON.parse(await here.ok('set', 'carts', '{9}x', 'milk', '--copies', 'all', '--json')) as {
    receipt: unknown
  }
  expect(receipt).toMatchObject({ hinted: false, copies: 1 })
  expect(await here.ok('entries', 'carts', '--prefix', '{9}')).toBe('{9}x\t"milk"\n')
  await here.ok('set', 'carts', 'brief', '1', '--ttl', '1h')
  expect(await here.ok('get', 'carts', 'brief', '--json')).toContain('expiresAt')
  await here.ok('delete', 'carts', 'brief')
  expect(await failure('get', 'carts', 'brief')).toMatch(/^1 .*owners have no entry 'brief'/)
  expect(await failure('delete', 'carts', 'brief')).toMatch(/^1 .*owners have no entry 'brief'/)
})

test('the owners of a key are listed, and the status says what is owned', async () => {
  const { owners } = JSON.parse(await here.ok('owners', 'carts', '42', '--json')) as { owners: unknown[] }
  expect(owners).toEqual([expect.objectContaining({ state: 'whole', zone: '', connected: true })])
  expect(await here.ok('owners', 'carts', '42')).toMatch(/OWNER .*COPY.*\n.*whole/)
  expect(await failure('owners', 'none', '42')).toMatch(/^1 .*no partitioned collection 'none'/)
  expect(await here.ok('status')).toContain('32 of 32 are owned here, 32 whole')
  const status = JSON.parse(await here.ok('status', '--json')) as { partitions: unknown }
  expect(status.partitions).toMatchObject({ total: 32, owned: 32, whole: 32, unreachable: 0, lost: 0, hints: 0 })
})

test('members and collections show who owns how much, and what is on its way', async () => {
  expect(await here.ok('members')).toMatch(/Partitions, .*\nOWNER .*OWNED +WHOLE +HANDING OVER\n.* owner +32 +32 +0\n/)
  const { shares } = await here.json<{ shares: unknown[] }>('members')
  expect(shares).toEqual([expect.objectContaining({ state: 'owner', owned: 32, whole: 32, handingOver: 0 })])
  const shown = await here.ok('collections')
  expect(shown).toMatch(/^carts +.* partitioned$/m)
  expect(shown).toMatch(/PARTITIONED +OWNERS +PARTITIONS +OWNED +WHOLE .*\ncarts +2 +32 +32 +32 +- +0\n/)
})

test('rows are imported into a new partitioned map', async () => {
  const rows = Array.from({ length: 100 }, (_, i) => `{"key":"k${i}","value":${i}}`).join('\n')
  await here.run(['import', 'imported', '--partitioned', '--owners', '1', '--partitions', '16'], rows)
  expect(await here.ok('get', 'imported', 'k99')).toBe('99\n')
  expect(await here.ok('owners', 'imported', 'k99')).toMatch(/whole/)
  await here.run(['import', 'plain'], rows)
  expect(await failure('owners', 'plain', 'k99')).toMatch(/COLLECTION_MISMATCH/)
})

/** The first line that a watch prints. */
async function firstLine(...words: string[]): Promise<string> {
  const watch = here.spawn('watch', 'carts', '--prefix', '{w}', ...words)
  let seen = ''
  watch.stdout!.setEncoding('utf8').on('data', (text: string) => (seen += text))
  await until(() => seen.includes('\n'), 'a change is shown')
  expect(await killed(watch, 'SIGINT')).toBe(0)
  return seen.split('\n')[0]!
}

test('changes are watched, and go on after a cursor', async () => {
  await here.ok('set', 'carts', '{w}a', '1')
  const first = JSON.parse(await firstLine('--initial', '--json')) as { cursor: string }
  expect(first).toMatchObject({ type: 'set', key: '{w}a', value: 1 })
  await here.ok('delete', 'carts', '{w}a')
  expect(await firstLine('--since', first.cursor)).toBe('delete  {w}a')
})

test('says what is wrong', async () => {
  expect(await failure('set', 'carts', 'a', '1', '--partitioned', '--owners', '7')).toMatch(/COLLECTION_MISMATCH/)
  expect(await failure('set', 'new', 'a', '1', '--partitioned', '--partitions', '100')).toMatch(/PARTITIONS_INVALID/)
  expect(await failure('set', 'carts', 'a', '1', '--owners', '2')).toMatch(/need --partitioned/)
  expect(await failure('set', 'carts', 'a', '1', '--peers', '2')).toMatch(/counts owners/)
  expect(await failure('get', 'carts', 'a', '--after', 'AAAA')).toMatch(/no tokens/)
})

test('a peer leaves: others have all that it had, its process ends, and no partition is lost', async () => {
  const group = new Surroundings('leaving')
  const first = await group.peer('--name', 'leaving', '--data', join(folder, 'first'))
  await group.ok('set', 'carts', '0', 'tea', '--partitioned', '--owners', '1', '--partitions', '16')
  await group.ok('set', 'carts', '7', 'tea')
  const second = await group.peer(
    '--name',
    'leaving',
    '--data',
    join(folder, 'second'),
    '--join',
    first.started.join[0]!,
  )
  const of = (peer: typeof first): string[] => ['--socket', peer.started.socket]
  const isWhole = async (): Promise<boolean> => {
    const { partitions } = await group.json<{ partitions: { owned: number; whole: number } }>('status', ...of(second))
    return partitions.owned > 0 && partitions.whole === partitions.owned
  }
  await until(isWhole, 'the second peer has its share')
  const brief = await group.error('leave', ...of(first), '--timeout', '1ms')
  expect(brief).toMatchObject({ exit: 1, code: 'LEAVE_INCOMPLETE', message: expect.stringContaining("'carts'") })
  expect(await group.ok('get', 'carts', '7', ...of(first))).toBe('"tea"\n')
  const exit = ended(first.child)
  // It may have gone on handing over meanwhile, and have nothing left.
  expect(await group.json('leave', ...of(first))).toMatchObject({ left: true, partitions: expect.any(Number) })
  expect((await exit).code).toBe(0)
  expect((await group.ok('entries', 'carts', '--keys-only', ...of(second))).trim().split('\n')).toHaveLength(2)
  expect(await group.json('begin-again', 'carts', ...of(second))).toEqual({ collection: 'carts', partitions: 0 })
  expect(await group.error('begin-again', 'none', ...of(second))).toMatchObject({ exit: 1, code: 'NOT_FOUND' })
  // It is the last one by now, and says so at once.
  const last = group.spawn('leave', ...of(second))
  let said = ''
  last.stderr!.setEncoding('utf8').on('data', (text: string) => (said += text))
  await until(() => said.includes('this peer is the last one that can own partitions'), 'it says what it waits for')
  expect(await killed(last, 'SIGINT')).toBe(130)
})
