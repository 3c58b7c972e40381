import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CliError, errorText } from '../cli-error.ts'
import { NewDirectory } from '../backup/new-directory.ts'
import { fileError, makeDirectory, writeTrouble } from './file-trouble.ts'

let folder: string
const at = (name: string): string => join(folder, name)

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'gg-trouble-'))
  writeFileSync(at('plain'), '')
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function thrown(run: () => unknown): unknown {
  try {
    run()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}

test('errors of the system are shown in words, with their code, and other errors as they are', () => {
  expect(errorText(thrown(() => readFileSync(at('none'))))).toBe('there is no such file or directory (ENOENT)')
  expect(errorText(thrown(() => readFileSync(at('plain/x'))))).toBe('a part of its path is no directory (ENOTDIR)')
  expect(errorText(thrown(() => readFileSync(folder)))).toBe('it is a directory (EISDIR)')
  const denied = Object.assign(new Error("EACCES: permission denied, open 'x'"), { code: 'EACCES', syscall: 'open' })
  expect(errorText(denied)).toBe('you have no permission (EACCES)')
  const odd = Object.assign(new Error('EWEIRD: odd, open'), { code: 'EWEIRD', syscall: 'open' })
  expect(errorText(odd)).toBe('EWEIRD: odd, open')
  expect(errorText(new Error('a\n    at b\nc'))).toBe('a c')
})

test('a directory that takes no files says so, and one that is missing too', () => {
  expect(writeTrouble(thrown(() => writeFileSync('/proc/x', '')))).toBe(
    '/proc takes no new files or directories (ENOENT)',
  )
  expect(writeTrouble(thrown(() => writeFileSync(at('none/x'), '')))).toBe(
    'there is no such file or directory (ENOENT)',
  )
})

test('only errors of the system become FILE', () => {
  const own = new CliError('PEER_GONE', 'gone')
  expect(fileError('x', '', own)).toBe(own)
  const bug = new TypeError('a bug')
  expect(fileError('x', '', bug)).toBe(bug)
  expect(
    fileError(
      'x cannot be read',
      'Look.',
      thrown(() => readFileSync(at('none'))),
    ),
  ).toMatchObject({
    code: 'FILE',
    message: 'x cannot be read: there is no such file or directory (ENOENT)',
    advice: 'Look.',
  })
})

test('directories are made with their parents, and below /proc it ends', () => {
  makeDirectory(at('a/b/c'), 0o700)
  makeDirectory(at('a/b/c'))
  expect(statSync(at('a/b/c')).mode & 0o777).toBe(0o700)
  expect(writeTrouble(thrown(() => makeDirectory('/proc/x/y')))).toBe(
    '/proc takes no new files or directories (ENOENT)',
  )
  for (const path of [at('plain'), at('plain/x')]) {
    const there = `${at('plain')} is there already, and is no directory (EEXIST)`
    expect(writeTrouble(thrown(() => makeDirectory(path)))).toBe(there)
  }
})

test('a new directory that cannot be made, or is there, says so and leaves nothing behind', () => {
  for (const [place, message] of [
    ['/proc/x', '/proc/x cannot be made: /proc takes no new files or directories (ENOENT)'],
    [at('plain/x'), 'plain/x cannot be made: a part of its path is no directory (ENOTDIR)'],
    [at('plain'), 'plain is there already, and is no directory'],
    [folder, 'is there already, and is not empty'],
  ] as const) {
    expect(
      thrown(() => new NewDirectory(place, 'a')),
      place,
    ).toMatchObject({
      code: 'FILE',
      message: expect.stringContaining(message) as string,
      advice: expect.stringMatching(/^Name a directory/) as string,
    })
  }
  expect(thrown(() => new NewDirectory('/proc/x/y', 'a'))).toMatchObject({
    code: 'FILE',
    message: expect.stringContaining('/proc/x') as string,
    advice: expect.stringMatching(/^Make it first/) as string,
  })
  const place = new NewDirectory(at('whole'), 'a')
  writeFileSync(join(place.path, 'a'), '')
  rmSync(at('whole'), { force: true })
  writeFileSync(at('whole'), 'in the way')
  expect(thrown(() => place.takePlace())).toMatchObject({
    code: 'FILE',
    message: expect.stringContaining('by another program meanwhile') as string,
  })
  place.discard()
  expect(readdirSync(folder).some((name) => name.includes('unfinished'))).toBe(false)
  expect(existsSync(at('whole'))).toBe(true)
})
