import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { openGrid } from 'gossipgrid'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Surroundings, ended, folder, killed, removeAll, until } from './cli-rig/surroundings.ts'

const here = new Surroundings('backup')
const ROWS = 6000
const at = (name: string): string => join(folder, name)

interface Listed {
  readonly collections: readonly { readonly name: string; readonly kind: string; readonly fingerprint: string }[]
}

/** Names, kinds and fingerprints of what a peer has. */
function printsOf({ collections }: Listed): string[] {
  return collections.map(({ name, kind, fingerprint }) => `${kind} ${name} ${fingerprint}`).toSorted()
}

/** What lies in the folder and was not finished. */
function unfinished(): string[] {
  return readdirSync(folder).filter((name) => name.includes('.unfinished-'))
}

beforeAll(async () => {
  const { started } = await here.peer('--name', 'backup', '--data', 'data')
  const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
  const grid = await openGrid({
    name: 'backup',
    listen: ['/ip4/127.0.0.1/tcp/0'],
    mdns: false,
    join: [started.addresses[0]!],
    logger: silent,
  })
  await grid.ready()
  const doc = await grid.doc('note')
  doc.y.getText('t').insert(0, 'hello')
  await doc.flush()
  await grid.counter('visits').increment(42, { copies: 1 })
  await grid.set('tags').add('red')
  await grid.sets('labels').add('post', 'blue')
  await grid.map('m').set('gone', 1)
  await grid.map('m').delete('gone')
  await grid.map('sessions').set('s1', 'ada', { ttlMs: 3_600_000 })
  const rows = new Map(Array.from({ length: ROWS }, (_, i) => [`row ${i}`, 'x'.repeat(2000)]))
  await grid.map('big').setMany(rows)
  await until(async () => (await here.json<Listed>('collections')).collections.length === 7, 'all have come')
  const last = printsOf(grid.status() as unknown as Listed)
  await until(async () => printsOf(await here.json<Listed>('collections')).join() === last.join(), 'all of it')
  await grid.close()
  await here.ok('backup', 'whole')
})
afterAll(removeAll)

test('a backup holds every kind of collection, and its restore is that grid again', async () => {
  const manifest = JSON.parse(readFileSync(at('whole/manifest.json'), 'utf8')) as Record<string, unknown>
  expect(manifest).toMatchObject({ backup: 'gossipgrid', format: 1, grid: 'backup' })
  expect(manifest['rows']).toBeGreaterThan(ROWS)
  const restored = await here.json<{ grid: string; rows: number }>('restore', 'whole', '--data', 'again')
  expect(restored).toMatchObject({ grid: 'backup', rows: manifest['rows'] })
  const apart = new Surroundings('again')
  await apart.peer('--name', 'backup', '--data', 'again', '--open')
  const [before, after] = [await here.json<Listed>('collections'), await apart.json<Listed>('collections')]
  expect(printsOf(after)).toEqual(printsOf(before))
  expect(after.collections.length).toBe(7)
  expect(await apart.json('get', 'sessions', 's1')).toEqual(await here.json('get', 'sessions', 's1'))
  expect(await apart.error('get', 'm', 'gone')).toMatchObject({ code: 'NOT_FOUND' })
  expect(await apart.ok('get', 'labels', 'post')).toContain('blue')
  expect(await apart.ok('export', 'visits')).toContain('42')
  await apart.ok('set', 'm', 'new', '1')
})

test('what is no backup, or a damaged one, is refused before anything is written', async () => {
  const refused = async (name: string): Promise<string> => {
    const { code, message, exit } = await here.error('restore', name, '--data', 'never')
    expect([code, exit]).toEqual(['BAD_BACKUP', 1])
    expect(existsSync(at('never'))).toBe(false)
    return message
  }
  const copy = (name: string, change: (blobs: Buffer, manifest: Record<string, unknown>) => Buffer | void): void => {
    mkdirSync(at(name))
    const blobs = readFileSync(at('whole/blobs.ndjson'))
    const manifest = JSON.parse(readFileSync(at('whole/manifest.json'), 'utf8')) as Record<string, unknown>
    writeFileSync(at(`${name}/blobs.ndjson`), change(blobs, manifest) ?? blobs)
    writeFileSync(at(`${name}/manifest.json`), JSON.stringify(manifest))
  }
  copy('flipped', (blobs) => void (blobs[5000] = blobs[5000]! ^ 1))
  copy('short', (blobs) => blobs.subarray(0, blobs.length - 100))
  copy('long', (blobs) => Buffer.concat([blobs, Buffer.from('{}\n')]))
  copy('later', (_, manifest) => void (manifest['format'] = 2))
  copy('newer', (_, manifest) => void (manifest['storeFormat'] = 99))
  copy('foreign', (_, manifest) => void (manifest['backup'] = 'of something else'))
  copy('torn', () => undefined)
  truncateSync(at('torn/manifest.json'), 20)
  mkdirSync(at('empty'))
  expect(await refused('flipped')).toContain('is damaged')
  expect(await refused('short')).toContain('should have')
  expect(await refused('long')).toContain('should have')
  expect(await refused('later')).toContain('later version')
  expect(await refused('newer')).toContain('later version')
  expect(await refused('foreign')).toContain('none of gossipgrid')
  expect(await refused('torn')).toContain('damaged')
  expect(await refused('empty')).toContain('has no manifest.json')
  expect(await refused('nowhere')).toContain('has no manifest.json')
  copy('fewer rows', (_, manifest) => void (manifest['rows'] = 5))
  expect(await refused('fewer rows')).toContain('rows and should have 5')
  mkdirSync(at('folders/manifest.json'), { recursive: true })
  expect(await refused('folders')).toContain('manifest.json that is no file')
  copy('pipe', () => undefined)
  rmSync(at('pipe/blobs.ndjson'))
  execFileSync('mkfifo', [at('pipe/blobs.ndjson')])
  expect(await refused('pipe')).toContain('blobs.ndjson that is no file')
  expect(unfinished()).toEqual([])
})

test('nothing is written over', async () => {
  expect(await here.error('backup', 'whole')).toMatchObject({ code: 'FILE', exit: 1 })
  expect(await here.error('restore', 'whole', '--data', 'data')).toMatchObject({ code: 'FILE', exit: 1 })
  mkdirSync(at('there'))
  await here.ok('backup', 'there')
  expect(readdirSync(at('there')).toSorted()).toEqual(['blobs.ndjson', 'manifest.json'])
  expect(await here.error('backup', 'whole/manifest.json/x')).toMatchObject({ exit: 1 })
  mkdirSync(at('an empty one'))
  const { ino } = statSync(at('an empty one'))
  const said = await here.ok('restore', 'whole', '--data', 'an empty one')
  expect(said).toBe('')
  expect([statSync(at('an empty one')).ino, existsSync(at('an empty one/CURRENT'))]).toEqual([ino, true])
})

test('a backup that is killed leaves no directory under its name, and the next run clears up', async () => {
  const child = here.spawn('backup', 'killed')
  const end = ended(child)
  await until(() => unfinished().length > 0 || child.exitCode !== null, 'it writes')
  await killed(child)
  await end
  expect(existsSync(at('killed'))).toBe(false)
  expect(unfinished().length).toBe(1)
  await here.ok('backup', 'killed')
  expect(unfinished()).toEqual([])
  await here.ok('restore', 'killed', '--data', 'from-killed')
})

test('a restore that is killed leaves no data directory, and the next run clears up', async () => {
  const child = here.spawn('restore', 'whole', '--data', 'half')
  const end = ended(child)
  await until(() => unfinished().length > 0 || child.exitCode !== null, 'it writes')
  await killed(child)
  await end
  expect(existsSync(at('half'))).toBe(false)
  expect(unfinished().length).toBe(1)
  await here.ok('restore', 'whole', '--data', 'half')
  expect(unfinished()).toEqual([])
})

test('an interrupted backup leaves nothing, and one of a peer that goes away neither', async () => {
  const child = here.spawn('backup', 'stopped')
  const end = ended(child)
  await until(() => unfinished().length > 0 || child.exitCode !== null, 'it writes')
  child.kill('SIGINT')
  const { code } = await end
  expect(code).toBe(130)
  expect([existsSync(at('stopped')), unfinished()]).toEqual([false, []])
  renameSync(at('whole'), at('moved'))
  await here.ok('restore', 'moved', '--data', 'from-moved')
})
