import { execFileSync } from 'node:child_process'
import { access, mkdir, mkdtemp, readFile, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { brotliCompressSync } from 'node:zlib'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { unpackedChromium } from './unpacked-chromium.ts'

let root: string
let packageFolder: string
let cache: string

/** A small imitation of the package: its browser is a script. */
async function publish(version: string): Promise<void> {
  await mkdir(join(packageFolder, 'bin'), { recursive: true })
  await writeFile(join(packageFolder, 'package.json'), JSON.stringify({ version }))
  const browser = Buffer.from(`#!/bin/sh\necho Chromium ${version}\n`)
  await writeFile(join(packageFolder, 'bin', 'chromium.br'), brotliCompressSync(browser))
  for (const [archive, folder] of [
    ['al2023', 'lib'],
    ['fonts', 'fonts'],
  ] as const) {
    await mkdir(join(root, folder), { recursive: true })
    await writeFile(join(root, folder, 'file'), folder)
    const tar = execFileSync('tar', ['-c', '-C', root, folder])
    await writeFile(join(packageFolder, 'bin', `${archive}.tar.br`), brotliCompressSync(tar))
  }
}

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'gossipgrid-unpacked-'))
  packageFolder = join(root, 'package')
  cache = join(root, 'cache')
  await publish('1.0.0')
})

afterEach(() => rm(root, { recursive: true, force: true }))

it('a browser is unpacked with its libraries and fonts, once', async () => {
  const { executablePath, environment } = await unpackedChromium({ packageFolder, cache })
  expect(execFileSync(executablePath!, { encoding: 'utf8' })).toBe('Chromium 1.0.0\n')
  expect(await readFile(join(environment!['LD_LIBRARY_PATH']!, 'file'), 'utf8')).toBe('lib')
  expect(await readFile(environment!['FONTCONFIG_FILE']!, 'utf8')).toContain(join(cache, '1.0.0', 'fonts'))
  const unpacked = await stat(executablePath!)
  await unpackedChromium({ packageFolder, cache })
  expect(await stat(executablePath!)).toEqual(unpacked)
})

it('several processes that unpack at the same time all get a whole one and leave nothing else', async () => {
  const all = await Promise.all(Array.from({ length: 8 }, () => unpackedChromium({ packageFolder, cache })))
  for (const { executablePath } of all) {
    expect(execFileSync(executablePath!, { encoding: 'utf8' })).toBe('Chromium 1.0.0\n')
  }
  expect(await readdir(cache)).toEqual(['1.0.0'])
})

it('a package that does not unpack leaves nothing, and the next attempt starts over', async () => {
  const archive = join(packageFolder, 'bin', 'al2023.tar.br')
  for (const damage of [() => writeFile(archive, 'not compressed'), () => rm(archive)]) {
    await damage()
    await expect(unpackedChromium({ packageFolder, cache })).rejects.toBeInstanceOf(Error)
    expect(await readdir(cache)).toEqual([])
  }
  await publish('1.0.0')
  const { executablePath } = await unpackedChromium({ packageFolder, cache })
  await access(executablePath!)
})

it('a new version removes the old one and the remains of killed processes, but not the folder of a running one', async () => {
  await unpackedChromium({ packageFolder, cache })
  await mkdir(join(cache, 'unpacking-running'))
  await mkdir(join(cache, 'unpacking-killed'))
  const longAgo = new Date(Date.now() - 2 * 60 * 60_000)
  await utimes(join(cache, 'unpacking-killed'), longAgo, longAgo)
  await publish('1.1.0')
  await unpackedChromium({ packageFolder, cache })
  expect((await readdir(cache)).toSorted()).toEqual(['1.1.0', 'unpacking-running'])
})
