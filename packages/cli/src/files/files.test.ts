import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { CliError } from '../cli-error.ts'
import { writePrivateFile, writeWholeFile } from './whole-file.ts'
import { writeTexts } from './write-texts.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gg-files-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const at = (name: string): string => join(folder, name)
const { signal } = new AbortController()

async function* texts(...parts: readonly (string | Error)[]): AsyncGenerator<string, void, undefined> {
  for (const part of parts) {
    if (part instanceof Error) throw part
    yield part
  }
}

/** The contents of the folder: names, kinds and modes. */
function listing(): string[] {
  return readdirSync(folder).map((name) => {
    const { mode } = lstatSync(at(name))
    return `${name} ${(mode & 0o7777).toString(8)}`
  })
}

const ROOT = process.geteuid?.() === 0

describe('writing to a name', () => {
  test('makes a new file with the usual mode, and nothing else', async () => {
    await writeTexts(at('a'), texts('one', 'two'), signal)
    expect(readFileSync(at('a'), 'utf8')).toBe('onetwo')
    expect(listing()).toEqual([`a ${(0o666 & ~process.umask()).toString(8)}`])
    await writeTexts(at('empty'), texts(), signal)
    expect(readFileSync(at('empty'), 'utf8')).toBe('')
  })

  test('replaces a file by one of the same mode and owner', async () => {
    for (const mode of [0o600, 0o640, 0o666, 0o755]) {
      writeFileSync(at('a'), 'old and long')
      chmodSync(at('a'), mode)
      if (ROOT) chownSync(at('a'), 1234, 4321)
      await writeTexts(at('a'), texts('new'), signal)
      expect(readFileSync(at('a'), 'utf8')).toBe('new')
      expect(listing()).toEqual([`a ${mode.toString(8)}`])
      if (ROOT) expect(statSync(at('a'))).toMatchObject({ uid: 1234, gid: 4321 })
    }
  })

  test('follows a symbolic link, also to another directory, in several steps, or to a missing file', async () => {
    mkdirSync(at('deep'))
    writeFileSync(at('deep/target'), 'old', { mode: 0o640 })
    symlinkSync('target', at('deep/second'))
    symlinkSync('deep/second', at('link'))
    await writeTexts(at('link'), texts('new'), signal)
    expect(readFileSync(at('deep/target'), 'utf8')).toBe('new')
    expect(statSync(at('deep/target')).mode & 0o777).toBe(0o640)
    expect([readlinkSync(at('link')), readlinkSync(at('deep/second'))]).toEqual(['deep/second', 'target'])
    symlinkSync('deep/later', at('dangling'))
    await writeTexts(at('dangling'), texts('new'), signal)
    expect(readFileSync(at('deep/later'), 'utf8')).toBe('new')
    expect(lstatSync(at('dangling')).isSymbolicLink()).toBe(true)
    symlinkSync('circle', at('circle'))
    await expect(writeTexts(at('circle'), texts('new'), signal)).rejects.toThrow('symbolic links')
  })

  test('keeps all names of a file that has several', async () => {
    writeFileSync(at('a'), 'old and long')
    linkSync(at('a'), at('b'))
    await writeTexts(at('a'), texts('new'), signal)
    expect(readFileSync(at('b'), 'utf8')).toBe('new')
    expect(statSync(at('a')).ino).toBe(statSync(at('b')).ino)
  })

  test('leaves an existing file alone that has the name of its temporary file', async () => {
    for (const name of ['a.part', 'a.tmp', '.a.part', 'a~']) writeFileSync(at(name), 'mine')
    await writeTexts(at('a'), texts('new'), signal)
    for (const name of ['a.part', 'a.tmp', '.a.part', 'a~']) expect(readFileSync(at(name), 'utf8')).toBe('mine')
    expect(readdirSync(folder)).toHaveLength(5)
  })

  test('reaches the reader of a FIFO, which stays one; without a reader the writer can be interrupted', async () => {
    execFileSync('mkfifo', [at('fifo')])
    const reader = spawn('cat', [at('fifo')])
    let read = ''
    reader.stdout.on('data', (chunk: Buffer) => (read += chunk.toString()))
    await writeTexts(at('fifo'), texts('one', 'x'.repeat(1_000_000), 'two'), signal)
    await once(reader, 'close')
    expect(read).toBe(`one${'x'.repeat(1_000_000)}two`)
    expect(lstatSync(at('fifo')).isFIFO()).toBe(true)
    const stop = new AbortController()
    const waiting = writeTexts(at('fifo'), texts('one'), stop.signal)
    stop.abort()
    await expect(waiting).rejects.toMatchObject({ code: 'INTERRUPTED' })
  })

  test('fails when the reader of a FIFO goes away, or reads nothing more and the writer is interrupted', async () => {
    execFileSync('mkfifo', [at('fifo')])
    spawn('head', ['-c', '1', at('fifo')])
    const torrent = async function* (): AsyncGenerator<string, void, undefined> {
      for (;;) yield 'x'.repeat(10_000)
    }
    await expect(writeTexts(at('fifo'), torrent(), signal)).rejects.toMatchObject({ code: 'FILE' })
    const sleeper = spawn('sh', ['-c', 'exec 3< "$0"; exec sleep 60', at('fifo')])
    const stop = new AbortController()
    const waiting = writeTexts(at('fifo'), torrent(), stop.signal)
    setTimeout(() => stop.abort(), 200)
    await expect(waiting).rejects.toMatchObject({ code: 'INTERRUPTED' })
    sleeper.kill('SIGKILL')
  })

  test('writes to a device as it is', async () => {
    await writeTexts('/dev/null', texts('one'), signal)
    expect(lstatSync('/dev/null').isCharacterDevice()).toBe(true)
    symlinkSync('/dev/null', at('link'))
    await writeTexts(at('link'), texts('one'), signal)
    expect(lstatSync('/dev/null').isCharacterDevice()).toBe(true)
    expect(lstatSync(at('link')).isSymbolicLink()).toBe(true)
    await expect(writeTexts('/dev/full', texts('one'), signal)).rejects.toThrow(/ENOSPC/)
  })

  test('is refused for a directory, and where the directory is missing', async () => {
    mkdirSync(at('directory'))
    for (const name of ['directory', 'directory/', 'none/', 'none/a', '']) {
      const refused = writeTexts(name === '' ? '/' : at(name), texts('one'), signal)
      await expect(refused, name).rejects.toMatchObject({ code: 'FILE' })
    }
    expect(listing()).toHaveLength(1)
  })

  test('leaves the file as it is when the texts end in an error, before the first or after it', async () => {
    writeFileSync(at('a'), 'old', { mode: 0o600 })
    const broken = new CliError('PEER_GONE', 'the peer went away')
    await expect(writeTexts(at('a'), texts('one', broken), signal)).rejects.toMatchObject({ code: 'PEER_GONE' })
    await expect(writeTexts(at('a'), texts(broken), signal)).rejects.toMatchObject({ message: 'the peer went away' })
    await expect(writeTexts(at('new'), texts('one', broken), signal)).rejects.toMatchObject({ code: 'PEER_GONE' })
    expect(readFileSync(at('a'), 'utf8')).toBe('old')
    expect(listing()).toEqual(['a 600'])
    linkSync(at('a'), at('b'))
    await expect(writeTexts(at('a'), texts(broken), signal)).rejects.toMatchObject({ message: 'the peer went away' })
    expect(readFileSync(at('b'), 'utf8')).toBe('old')
    await expect(writeTexts(at('a'), texts('one', broken), signal)).rejects.toThrow('a is incomplete')
  })

  test('a process that ends at once leaves no file behind', async () => {
    const script = `
      import { writeTexts } from ${JSON.stringify(new URL('write-texts.ts', import.meta.url).href)}
      const forever = async function* () { yield 'one'; process.exit(130) }
      await writeTexts(process.argv[1], forever(), new AbortController().signal)`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script, at('a')])
    expect(await once(child, 'exit')).toEqual([130, null])
    expect(listing()).toEqual([])
  })
})

describe('a small file', () => {
  test('is written whole, with its mode, or keeps its present mode', () => {
    writeWholeFile(at('a'), 'one', { mode: 0o600 })
    chmodSync(at('a'), 0o640)
    writeWholeFile(at('a'), 'two', { mode: 0o600 })
    expect(readFileSync(at('a'), 'utf8')).toBe('two')
    expect(listing()).toEqual(['a 640'])
    writeWholeFile(at('a'), 'three', { mode: 0o600, setMode: true })
    expect(listing()).toEqual(['a 600'])
  })

  test('is never a device, nor a symbolic link to one', () => {
    symlinkSync('/dev/null', at('link'))
    for (const name of ['/dev/null', at('link')]) {
      expect(() => writeWholeFile(name, 'one', { mode: 0o600, setMode: true })).toThrow('is no ordinary file')
    }
    expect(lstatSync('/dev/null').isCharacterDevice()).toBe(true)
  })

  test('for its user alone replaces nothing', () => {
    writePrivateFile(at('a'), 'one')
    expect(listing()).toEqual(['a 600'])
    expect(() => writePrivateFile(at('a'), 'two')).toThrow('EEXIST')
    symlinkSync('elsewhere', at('link'))
    expect(() => writePrivateFile(at('link'), 'two')).toThrow('EEXIST')
    expect(existsSync(at('elsewhere'))).toBe(false)
  })
})
