import {
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { NewDirectory } from './new-directory.ts'

const ROOT = process.geteuid?.() === 0
/** Of no process: ids end at 2^22. */
const DEAD = 2 ** 22 + 1
let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gg-new-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const at = (name: string): string => join(folder, name)

/** Makes a directory of the files `first` and `last`; the contents of its parent are seen at the end of writing. */
function made(name: string, atEnd: () => void = () => undefined): void {
  const directory = new NewDirectory(at(name), 'last')
  try {
    writeFileSync(join(directory.path, 'first'), '1')
    writeFileSync(join(directory.path, 'last'), '2')
    atEnd()
    directory.takePlace()
  } catch (error) {
    directory.discard()
    throw error
  }
}

test('a new directory is there at the end, as a whole, and for its user alone', () => {
  mkdirSync(at('a'))
  made('a/b', () => expect(existsSync(at('a/b'))).toBe(false))
  expect(readdirSync(at('a/b'))).toEqual(['first', 'last'])
  expect(readdirSync(at('a'))).toEqual(['b'])
  expect(statSync(at('a/b')).mode & 0o777).toBe(0o700)
})

test('the directory around a new one has to be there: a disk may not be mounted', () => {
  expect(() => new NewDirectory(at('mnt/b'), 'last')).toThrow(`there is no directory ${at('mnt')}`)
  expect(readdirSync(folder)).toEqual([])
})

test('an empty directory that is there stays the one that it was, which may be a mount or somebody’s working directory', () => {
  mkdirSync(at('there'), { mode: 0o750 })
  mkdirSync(at('there/lost+found'))
  if (ROOT) chownSync(at('there'), 12345, 12346)
  const before = statSync(at('there'))
  made('there', () => expect(readdirSync(at('there'))).not.toContain('first'))
  const after = statSync(at('there'))
  expect([after.ino, after.mode, after.uid, after.gid]).toEqual([before.ino, before.mode, before.uid, before.gid])
  expect(readdirSync(at('there'))).toEqual(['first', 'last', 'lost+found'])
  expect(statSync(at('there/last')).uid).toBe(before.uid)
  expect(readdirSync(folder)).toEqual(['there'])
})

test('symbolic links are followed, there or not', () => {
  mkdirSync(at('real'))
  symlinkSync(at('real'), at('link'))
  symlinkSync('later', at('dangling'))
  made('link')
  made('dangling')
  expect(readdirSync(at('real'))).toEqual(['first', 'last'])
  expect(readdirSync(at('later'))).toEqual(['first', 'last'])
  expect(lstatSync(at('link')).isSymbolicLink() && lstatSync(at('dangling')).isSymbolicLink()).toBe(true)
})

test('what is there is never replaced, also when it came meanwhile', () => {
  writeFileSync(at('file'), 'mine')
  mkdirSync(at('full'))
  writeFileSync(at('full/.x'), 'mine')
  mkdirSync(at('empty'))
  const refused = expect.objectContaining({ code: 'FILE' }) as Error
  expect(() => made('file')).toThrow(refused)
  expect(() => made('full')).toThrow(refused)
  const appears = (name: string) => (): void => {
    mkdirSync(at(name), { recursive: true })
    writeFileSync(at(`${name}/last`), 'mine')
  }
  expect(() => made('new', appears('new'))).toThrow(refused)
  expect(() => made('empty', appears('empty'))).toThrow(refused)
  for (const name of ['file', 'full/.x', 'new/last', 'empty/last']) expect(readFileSync(at(name), 'utf8')).toBe('mine')
  expect([readdirSync(at('new')), readdirSync(at('empty'))]).toEqual([['last'], ['last']])
  expect(readdirSync(folder)).toEqual(['empty', 'file', 'full', 'new'])
  expect(() => new NewDirectory('', 'last')).toThrow(expect.objectContaining({ code: 'USAGE' }) as Error)
})

test('what killed runs have left goes: for the same place at once, for others once it is old', () => {
  const left = (name: string, ageMs: number): void => {
    mkdirSync(at(name), { recursive: true })
    writeFileSync(at(`${name}/first`), 'half')
    for (const path of [`${name}/first`, name]) {
      utimesSync(at(path), new Date(Date.now() - ageMs), new Date(Date.now() - ageMs))
    }
  }
  const dayMs = 24 * 60 * 60 * 1000
  left(`.same.unfinished-${DEAD}`, 0)
  left(`.yesterday.unfinished-${DEAD}`, dayMs)
  left(`.other.unfinished-${DEAD}`, 0)
  left(`.running.unfinished-${process.ppid}`, dayMs)
  left('.mine.unfinished-x', dayMs)
  left(`there/.unfinished-${DEAD}`, 0)
  made('same')
  made('there')
  expect(readdirSync(folder)).toEqual(
    [
      '.mine.unfinished-x',
      `.other.unfinished-${DEAD}`,
      `.running.unfinished-${process.ppid}`,
      'same',
      'there',
    ].toSorted(),
  )
  expect(readdirSync(at('there'))).toEqual(['first', 'last'])
})
