import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Surroundings, folder, removeAll } from './cli-rig/surroundings.ts'

const here = new Surroundings('files')

beforeAll(async () => {
  await here.peer('--name', 'files')
  await here.ok('set', 'users', 'ada', '1')
  writeFileSync(join(folder, 'plain'), '')
})
afterAll(removeAll)

const NO_DIRECTORY = 'a part of its path is no directory (ENOTDIR)'
const TAKES_NONE = '/proc takes no new files or directories (ENOENT)'

/** A command with a path that cannot be, and what the error says. */
const cases: readonly (readonly [line: string, code: string, message: string])[] = [
  ['backup /proc/x', 'FILE', `/proc/x cannot be made: ${TAKES_NONE}`],
  ['backup /proc/x/y', 'FILE', '/proc/x/y cannot be made: there is no directory /proc/x'],
  ['backup plain', 'FILE', 'plain is there already, and is no directory'],
  ['backup plain/x', 'FILE', `plain/x cannot be made: ${NO_DIRECTORY}`],
  ['restore plain --data x', 'BAD_BACKUP', 'plain has no manifest.json'],
  ['export users plain/x.ndjson', 'FILE', `plain/x.ndjson cannot be written, and is as it was: ${NO_DIRECTORY}`],
  ['export users /proc/x.ndjson', 'FILE', `/proc/x.ndjson cannot be written, and is as it was: ${TAKES_NONE}`],
  ['import users none.ndjson', 'FILE', 'none.ndjson cannot be read: there is no such file or directory (ENOENT)'],
  ['import users plain/x.ndjson', 'FILE', `plain/x.ndjson cannot be read: ${NO_DIRECTORY}`],
  ['import users . --format ndjson', 'FILE', '. is a directory'],
  ['secret --out plain/x', 'FILE', `plain/x cannot be written: ${NO_DIRECTORY}`],
  ['secret --out /proc/x', 'FILE', `/proc/x cannot be written: ${TAKES_NONE}`],
  ['watch users --cursor plain/x', 'FILE', `the cursor file plain/x cannot be read: ${NO_DIRECTORY}`],
  ['status --socket plain/x', 'NO_PEER', 'no peer answers at plain/x'],
  ['peer --name q --socket plain/x', 'SOCKET', `no socket can be made at plain/x: ${NO_DIRECTORY}`],
  ['peer --name q --socket /proc/x', 'SOCKET', 'no socket can be made at /proc/x: you have no permission (EACCES)'],
  ['peer --name q --secret-file plain/x', 'FILE', `the secret file plain/x cannot be read: ${NO_DIRECTORY}`],
  ['peer --name q --tls-cert . --tls-key plain', 'FILE', '. cannot be read: it is a directory (EISDIR)'],
  ['relay --identity plain/x', 'FILE', `plain/x cannot be read: ${NO_DIRECTORY}`],
  ['relay --identity /proc/x', 'FILE', `/proc/x cannot be written: ${TAKES_NONE}`],
]

test.each(cases)('gossipgrid %s says what is wrong with the path, and what to do', async (line, code, message) => {
  const error = await here.error(...line.split(' '))
  expect(error).toMatchObject({ code, message: expect.stringContaining(message) as string })
  expect(error.advice ?? '').not.toBe('')
})

test('a runtime directory that cannot be made ends a peer, and hangs nothing', async () => {
  const elsewhere = new Surroundings('files', { GOSSIPGRID_RUNTIME_DIR: '/proc/x/run' })
  expect(await elsewhere.error('peer', '--name', 'q', '--no-mdns')).toMatchObject({
    code: 'SOCKET',
    message: `/proc/x/run cannot be made: ${TAKES_NONE}`,
  })
})
