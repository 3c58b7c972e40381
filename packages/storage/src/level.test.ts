import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import type { Storage, StorageOperation } from '@gossipgrid/core'
import { storageConformance } from '@gossipgrid/testing/storage-conformance'
import { ClassicLevel } from 'classic-level'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { checkSurvivors, startTrialWriter } from './crash-trial.ts'
import { levelStorage } from './level.ts'
import type { LevelHealth } from './level.ts'

let root: string
let directory: string
const opened = new Set<Storage>()

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'gossipgrid-level-'))
  directory = join(root, 'nested', 'store')
})

afterEach(async () => {
  for (const storage of opened) await storage.close()
  opened.clear()
  await rm(root, { recursive: true, force: true })
})

async function open(warnings: string[] = []): Promise<Storage & LevelHealth> {
  const storage = await levelStorage({ directory, logger: { warn: (message) => warnings.push(message) } })
  opened.add(storage)
  return storage
}

function put(key: string, ...values: number[]): StorageOperation {
  return { type: 'put', key, bytes: new Uint8Array(values) }
}

/** Runs `change` on the closed database without the storage. */
async function tamper(change: (level: ClassicLevel<string, Uint8Array>) => Promise<void>): Promise<void> {
  const level = new ClassicLevel<string, Uint8Array>(directory, { keyEncoding: 'utf8', valueEncoding: 'view' })
  await level.open()
  await change(level)
  await level.close()
}

async function fileNamed(pattern: RegExp): Promise<string> {
  const name = (await readdir(directory)).find((candidate) => pattern.test(candidate))
  if (name === undefined) throw new Error(`No file ${pattern} in ${directory}`)
  return join(directory, name)
}

/** Makes one block of the table unreadable; the rest is as it was. */
async function damageTable(): Promise<void> {
  const table = await fileNamed(/\.ldb$/)
  const content = await readFile(table)
  content.fill(0xff, 4, 20)
  await writeFile(table, content)
}

storageConformance('levelStorage', {
  open: async () => await open(),
  reopen: async (storage) => {
    await storage.close()
    return await open()
  },
  cleanUp: async () => await rm(directory, { recursive: true, force: true }),
})

it('a new directory is its user’s alone, new parents get the usual mode, and an existing directory stays as it is', async () => {
  const modeOf = async (path: string): Promise<number> => (await stat(path)).mode & 0o777
  await open()
  expect(await modeOf(directory)).toBe(0o700)
  expect(await modeOf(join(root, 'nested'))).toBe(0o777 & ~process.umask())
  directory = join(root, 'there')
  await mkdir(directory, { mode: 0o750 })
  const before = await modeOf(directory)
  await open()
  expect(await modeOf(directory)).toBe(before)
})

describe('a directory that cannot be used', () => {
  it('is in use when this process has it open, whatever its path is called', async () => {
    const storage = await open()
    const link = join(root, 'link')
    await symlink(directory, link)
    for (const path of [directory, `${directory}/../store/`, link]) {
      await expect(levelStorage({ directory: path })).rejects.toMatchObject({ code: 'STORAGE_IN_USE' })
    }
    await storage.write([put('still', 1)], { durable: true })
    await storage.close()
    expect(await (await open()).list('')).toEqual(['still'])
  })

  it('is in use when another process has it open, and free again when that is killed', async () => {
    const writer = startTrialWriter(directory)
    try {
      await writer.started
      await expect(open()).rejects.toMatchObject({ code: 'STORAGE_IN_USE' })
    } finally {
      await writer.kill()
    }
    await open()
  })

  it('is not writable below a file, or where the system allows no files', async () => {
    await writeFile(join(root, 'file'), '')
    for (const path of [
      join(root, 'file'),
      join(root, 'file', 'store'),
      '/proc/gossipgrid',
      '/proc/gossipgrid/store',
    ]) {
      await expect(levelStorage({ directory: path })).rejects.toMatchObject({ code: 'STORAGE_NOT_WRITABLE' })
    }
  })

  it.each<[what: string, put: (path: string) => unknown]>([
    ['a pipe', (path) => execFileSync('mkfifo', [path])],
    ['a device', (path) => symlink('/dev/zero', path)],
    ['a link to nothing', (path) => symlink('/nowhere/at/all', path)],
    ['a directory', (path) => mkdir(path)],
  ])('is refused, and left as it is, with %s in the place of a file', async (_what, put_) => {
    const storage = await open()
    await storage.write([put('a', 1)], { durable: true })
    await storage.close()
    // Now there is a table.
    await (await open()).close()
    for (const pattern of [/^CURRENT$/, /^MANIFEST/, /\.log$/, /\.ldb$/]) {
      const path = await fileNamed(pattern)
      await rename(path, join(root, 'away'))
      await put_(path)
      await expect(open()).rejects.toMatchObject({
        code: 'STORAGE_FAILED',
        message: expect.stringContaining(`${path} is no file`),
      })
      await rm(path, { recursive: true })
      await rename(join(root, 'away'), path)
    }
    expect(await (await open()).read('a')).toEqual(Uint8Array.of(1))
  })

  it('is refused when a newer version wrote it', async () => {
    await (await open()).close()
    await tamper(async (level) => {
      await level.put('\u00ffformat', new TextEncoder().encode('gossipgrid 2'))
      await level.put('some', new Uint8Array([1]))
    })
    await expect(open()).rejects.toMatchObject({ code: 'STORAGE_FORMAT', message: expect.stringContaining('newer') })
    await tamper(async (level) => expect(await level.keys().all()).toEqual(['some', '\u00ffformat']))
    expect(await readdir(join(directory, '..'))).toEqual(['store'])
  })

  it('is refused when it has files of another program, which stay as they are', async () => {
    await mkdir(directory, { recursive: true })
    await writeFile(join(directory, '.gitkeep'), '')
    await (await open()).close()
    await rm(directory, { recursive: true })
    await mkdir(directory)
    for (const name of ['package.json', 'LOG', '000001.log']) await writeFile(join(directory, name), 'mine')
    await expect(open()).rejects.toMatchObject({
      code: 'STORAGE_FORMAT',
      message: expect.stringContaining('"package.json"'),
    })
    expect(await readdir(directory)).toEqual(['000001.log', 'LOG', 'package.json'])
    expect(await readFile(join(directory, 'LOG'), 'utf8')).toBe('mine')
  })

  it('is refused when another program wrote it', async () => {
    await tamper((level) => level.put('some', new Uint8Array([1])))
    await expect(open()).rejects.toMatchObject({ code: 'STORAGE_FORMAT' })
    await tamper((level) => level.put('\u00ffformat', new TextEncoder().encode('other 1')))
    await expect(open()).rejects.toMatchObject({ code: 'STORAGE_FORMAT' })
    await tamper(async (level) => expect(await level.get('some')).toHaveLength(1))
  })
})

describe('a damaged blob', () => {
  it('is refused by its name when it is read, and can be replaced', async () => {
    const storage = await open()
    await storage.write([put('good', 1), put('flipped', 1, 2, 3), put('moved', 4), put('cut', 5)], { durable: true })
    await storage.close()
    await tamper(async (level) => {
      const flipped = new Uint8Array((await level.get('flipped')) ?? [])
      flipped[5] = (flipped[5] ?? 0) ^ 1
      await level.put('flipped', flipped)
      await level.put('moved', (await level.get('good')) ?? new Uint8Array())
      await level.put('cut', new Uint8Array([1, 2]))
    })
    const again = await open()
    for (const key of ['flipped', 'moved', 'cut']) {
      const refused = { code: 'STORAGE_DAMAGED', message: expect.stringContaining(`'${key}'`) }
      await expect(again.read(key)).rejects.toMatchObject(refused)
    }
    expect(await again.read('good')).toEqual(new Uint8Array([1]))
    await again.write([put('flipped', 7)], { durable: true })
    expect(await again.read('flipped')).toEqual(new Uint8Array([7]))
  })
})

describe('a database that does not open', () => {
  const damages: readonly (readonly [string, () => Promise<void>])[] = [
    ['whose manifest is garbage', async () => writeFile(await fileNamed(/^MANIFEST/), 'garbage'.repeat(20))],
    ['whose manifest is empty', async () => truncate(await fileNamed(/^MANIFEST/))],
    ['whose manifest is missing', async () => rm(await fileNamed(/^MANIFEST/))],
    ['whose CURRENT is garbage', async () => writeFile(join(directory, 'CURRENT'), 'garbage')],
    ['whose CURRENT is missing', async () => rm(join(directory, 'CURRENT'))],
    ['that has lost a table', async () => rm(await fileNamed(/\.ldb$/))],
    ['whose mark is missing', () => tamper((level) => level.del('\u00ffformat'))],
    ['whose mark is garbage', () => tamper((level) => level.put('\u00ffformat', new Uint8Array([1])))],
    ['whose table is garbage', async () => writeFile(await fileNamed(/\.ldb$/), new Uint8Array(5000).fill(0xff))],
    ['whose table is cut short', async () => truncate(await fileNamed(/\.ldb$/), 50)],
    ['whose table has an unreadable block', async () => damageTable()],
  ]
  for (const [name, damage] of damages) {
    it(`${name} is set aside and a new one opened`, async () => {
      await (await open()).write([put('old', 1)], { durable: true })
      for (const storage of opened) await storage.close()
      await (await open()).close()
      await damage()
      const warnings: string[] = []
      const storage = await open(warnings)
      expect(storage.health()).toMatchObject({ setAside: `${directory}.damaged-1`, lastError: undefined })
      expect(warnings).toEqual([expect.stringContaining(`${directory}.damaged-1`)])
      expect(await readdir(`${directory}.damaged-1`)).toContain('LOCK')
      expect(await storage.list('')).toEqual([])
      await storage.write([put('new', 2)], { durable: true })
      await storage.close()
      const again = await open()
      expect(again.health().setAside).toBeUndefined()
      expect(await again.list('')).toEqual(['new'])
    })
  }

  it('takes the first free name', async () => {
    await mkdir(`${directory}.damaged-1`, { recursive: true })
    await (await open()).close()
    await writeFile(join(directory, 'CURRENT'), 'garbage')
    expect((await open()).health().setAside).toBe(`${directory}.damaged-2`)
    expect(await readdir(`${directory}.damaged-1`)).toEqual([])
  })

  it('an interrupted first opening does not make a directory count as damaged', async () => {
    await mkdir(directory, { recursive: true })
    for (const name of ['LOCK', 'LOG', 'MANIFEST-000001', '000003.log']) await writeFile(join(directory, name), '')
    expect((await open()).health().setAside).toBeUndefined()
  })
})

describe('health', () => {
  it('counts the bytes that wait for the disk', async () => {
    const storage = await open()
    expect(storage.health()).toEqual({
      setAside: undefined,
      droppedBytes: 0,
      lostLog: false,
      pendingBytes: 0,
      lastError: undefined,
    })
    const written = storage.write([{ type: 'put', key: 'a', bytes: new Uint8Array(1000) }], { durable: true })
    expect(storage.health().pendingBytes).toBeGreaterThan(1000)
    await written
    expect(storage.health().pendingBytes).toBe(0)
  })

  it('reports that writes are missing when the log is unreadable in the middle', async () => {
    const storage = await open()
    for (let n = 0; n < 30; n++) {
      await storage.write([{ type: 'put', key: `n${n}`, bytes: new Uint8Array(5000).fill(n) }], { durable: true })
    }
    await storage.close()
    const log = await fileNamed(/\.log$/)
    const content = await readFile(log)
    content.fill(0xff, 70_000, 70_100)
    await writeFile(log, content)
    const warnings: string[] = []
    const again = await open(warnings)
    expect(again.health().droppedBytes).toBeGreaterThan(0)
    expect(warnings).toEqual([expect.stringContaining('unreadable bytes')])
    expect((await again.list('n')).length).toBeLessThan(30)
  })
})

it('a missing log is reported', async () => {
  await (await open()).write([put('old', 1)], { durable: true })
  for (const storage of opened) await storage.close()
  const storage = await open()
  await storage.write([put('new', 1)], { durable: true })
  await storage.close()
  await rm(await fileNamed(/\.log$/))
  const warnings: string[] = []
  const again = await open(warnings)
  expect(again.health()).toMatchObject({ lostLog: true, setAside: undefined })
  expect(warnings).toEqual([expect.stringContaining('is missing')])
  expect(await again.list('')).toEqual(['old'])
})

describe('a write that a crash cut off', () => {
  it('is left out with a warning, and the writes before it are there', async () => {
    const storage = await open()
    for (let n = 0; n < 10; n++) await storage.write([put(`n${n}`, n)], { durable: true })
    await storage.close()
    const log = await fileNamed(/\.log$/)
    await truncate(log, (await readFile(log)).length - 3)
    const warnings: string[] = []
    const again = await open(warnings)
    expect(warnings).toEqual([expect.stringContaining('was cut off by a crash')])
    expect(again.health()).toMatchObject({ setAside: undefined, droppedBytes: 0 })
    expect(await again.list('n')).toEqual(Array.from({ length: 9 }, (_, n) => `n${n}`))
    await again.close()
    const unwarned: string[] = []
    await open(unwarned)
    expect(unwarned).toEqual([])
  })
})

describe('a kill at any moment', () => {
  it('loses no acknowledged write, tears no batch and leaves no hole', async () => {
    let acknowledged = -1
    for (let round = 0; round < 12; round++) {
      const writer = startTrialWriter(directory)
      // The first rounds may also hit the creation and the opening of the database.
      if (round >= 3) await writer.started
      await delay(Math.random() * 150)
      await writer.kill()
      acknowledged = Math.max(acknowledged, writer.acknowledged())
      await checkSurvivors(directory, acknowledged)
    }
    expect(acknowledged).toBeGreaterThan(0)
  })
})
