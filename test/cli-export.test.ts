import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  lstatSync,
  readFileSync,
  readdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Surroundings, ended, folder, killed, removeAll, until } from './cli-rig/surroundings.ts'

const here = new Surroundings('export')
const ROWS = '{"key":"a","value":1}\n'
const at = (name: string): string => join(folder, name)

beforeAll(async () => {
  await here.peer('--name', 'export')
  await here.ok('set', 'm', 'a', '1')
})
afterAll(removeAll)

test('an export keeps the kind of the file it writes to', async () => {
  writeFileSync(at('target.ndjson'), 'old')
  symlinkSync('target.ndjson', at('link.ndjson'))
  writeFileSync(at('private.ndjson'), 'old')
  chmodSync(at('private.ndjson'), 0o600)
  for (const name of ['x.ndjson.part', 'link.ndjson.part', 'private.ndjson.part']) writeFileSync(at(name), 'mine')
  for (const name of ['link.ndjson', 'private.ndjson', 'x.ndjson']) await here.ok('export', 'm', name)
  expect(readFileSync(at('target.ndjson'), 'utf8')).toBe(ROWS)
  expect(lstatSync(at('link.ndjson')).isSymbolicLink()).toBe(true)
  expect(readFileSync(at('private.ndjson'), 'utf8')).toBe(ROWS)
  expect(statSync(at('private.ndjson')).mode & 0o777).toBe(0o600)
  for (const name of ['x.ndjson.part', 'link.ndjson.part', 'private.ndjson.part']) {
    expect(readFileSync(at(name), 'utf8'), name).toBe('mine')
  }
  await here.ok('export', 'm', '/dev/null', '--format', 'csv')
  expect(lstatSync('/dev/null').isCharacterDevice()).toBe(true)
  expect(readdirSync(folder).filter((name) => name.startsWith('.gossipgrid'))).toEqual([])
})

test('stdout has several names', async () => {
  for (const name of ['-', '/dev/stdout', '/dev/fd/1']) {
    expect(await here.ok('export', 'm', name, '--format', 'ndjson'), name).toBe(ROWS)
  }
})

test('an export into a FIFO waits for its reader, and the FIFO stays one', async () => {
  execFileSync('mkfifo', [at('fifo')])
  const waiting = here.spawn('export', 'm', 'fifo', '--format', 'ndjson')
  const end = ended(waiting)
  const read = execFileSync('cat', [at('fifo')], { timeout: 30_000, encoding: 'utf8' })
  expect(read).toBe(ROWS)
  expect(await end).toMatchObject({ code: 0 })
  expect(lstatSync(at('fifo')).isFIFO()).toBe(true)
})

test('a failed export leaves the file as it was, and no other file', async () => {
  writeFileSync(at('kept.csv'), 'old')
  // A field with the name of the key's column cannot be written as CSV.
  await here.ok('set', 'clash', 'k', '{"key":1}')
  expect(await here.error('export', 'clash', 'kept.csv')).toMatchObject({ code: 'USAGE' })
  expect(await here.error('export', 'none', 'kept.csv')).toMatchObject({ code: 'NOT_FOUND' })
  expect(readFileSync(at('kept.csv'), 'utf8')).toBe('old')
  expect(await here.error('export', 'm', 'nowhere/x.csv')).toMatchObject({ exit: 1, code: 'FILE' })
  expect(await here.error('export', 'm', '/dev/full', '--format', 'csv')).toMatchObject({ exit: 1, code: 'FILE' })
  expect(await here.error('export', 'm', '.', '--format', 'csv')).toMatchObject({ exit: 1, code: 'FILE' })
  expect(readdirSync(folder).filter((name) => name.startsWith('.gossipgrid'))).toEqual([])
})

test('an interrupted export leaves nothing behind', async () => {
  const rows = Array.from({ length: 20_000 }, (_, i) => JSON.stringify({ key: `k${i}`, value: 'x'.repeat(500) }))
  expect((await here.run(['import', 'big'], rows.join('\n'))).code).toBe(0)
  writeFileSync(at('big.ndjson'), 'old')
  const parts = (): string[] => readdirSync(folder).filter((name) => name.startsWith('.gossipgrid'))
  const child = here.spawn('export', 'big', 'big.ndjson')
  await until(() => parts().length > 0 || child.exitCode !== null, 'it writes')
  await killed(child, 'SIGTERM')
  // A fast machine may have finished before the signal. Then the file is whole.
  const lines = readFileSync(at('big.ndjson'), 'utf8').trimEnd().split('\n').length
  expect(lines).toBe(child.exitCode === 0 ? rows.length : 1)
  expect(parts()).toEqual([])
})

test('a full stdout gives an error with a sentence', async () => {
  const { stderr, code } = await here.shell('"$@" export m > /dev/full')
  expect(code).toBe(1)
  expect(stderr).toMatch(/^error: the output cannot be written: the disk is full \(ENOSPC\)/)
})

test('a secret replaces a secret, and never a device; a directory and a link stay what they are', async () => {
  writeFileSync(at('s'), 'old')
  chmodSync(at('s'), 0o644)
  symlinkSync('s', at('s-link'))
  expect(await here.error('secret', '--out', 's')).toMatchObject({ code: 'FILE' })
  await here.ok('secret', '--force', '--out', 's-link')
  expect(readFileSync(at('s'), 'utf8')).toMatch(/^gg1_/)
  expect(statSync(at('s')).mode & 0o777).toBe(0o600)
  expect(lstatSync(at('s-link')).isSymbolicLink()).toBe(true)
  expect(await here.error('secret', '--force', '--out', '/dev/null')).toMatchObject({ code: 'FILE' })
  expect(lstatSync('/dev/null').isCharacterDevice()).toBe(true)
  expect(existsSync(at('s.part'))).toBe(false)
})
