import type { ChildProcess } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Surroundings, folder, killed, removeAll, until } from './cli-rig/surroundings.ts'

const here = new Surroundings('watch')
let peer: ChildProcess

interface Line {
  readonly type: string
  readonly key?: string
  readonly value?: unknown
  readonly cursor?: string
  readonly reason?: string
}

beforeAll(async () => {
  peer = (await here.peer('--name', 'watched')).child
})
afterAll(removeAll)

/** A running `gossipgrid watch --json`. */
class Watching {
  readonly child: ChildProcess
  stderr = ''
  #stdout = ''

  constructor(...args: readonly string[]) {
    this.child = here.spawn('watch', ...args, '--json')
    this.child.stdout!.setEncoding('utf8').on('data', (text: string) => (this.#stdout += text))
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => (this.stderr += text))
  }

  get lines(): Line[] {
    return this.#stdout.split('\n').slice(0, -1).map((line) => JSON.parse(line) as Line) // prettier-ignore
  }

  /** Type and key of each change, in order. */
  get changes(): string[] {
    return this.lines.map(({ type, key = '' }) => `${type} ${key}`)
  }

  async sees(...changes: readonly string[]): Promise<void> {
    await until(() => changes.every((change) => this.changes.includes(change)), `a watch shows ${changes.join(', ')}`)
  }

  /** Ends it as Ctrl-C does, and returns what it has shown, sorted. */
  async ended(): Promise<string[]> {
    const code = await killed(this.child, 'SIGINT')
    if (code !== 0) throw new Error(`the watch ended with ${code}: ${this.stderr}`)
    return this.changes.toSorted()
  }
}

/** The names of all collections, as text. */
const collections = (): Promise<string> => here.ok('collections')

describe('a watch with a cursor file', () => {
  test('begins with the whole collection, and goes on where it was the next time, with deletes', async () => {
    await here.ok('set', 'orders', 'a', '1')
    await here.ok('set', 'orders', 'b', '2')
    const first = new Watching('orders', '--cursor', 'orders.cursor')
    await first.sees('set a', 'set b')
    expect(await first.ended()).toEqual(['set a', 'set b'])
    expect(first.stderr).toContain('there is no cursor in orders.cursor yet; beginning with the whole collection')
    await here.ok('delete', 'orders', 'a')
    await here.ok('set', 'orders', 'c', '3')
    const second = new Watching('orders', '--cursor', 'orders.cursor')
    await second.sees('delete a', 'set c')
    await here.ok('set', 'orders', 'd', '4')
    await second.sees('set d')
    expect(await second.ended()).toEqual(['delete a', 'set c', 'set d'])
    expect(second.stderr).toBe('')
  })

  test('loses nothing to a SIGKILL', async () => {
    const first = new Watching('orders', '--cursor', 'orders.cursor')
    await here.ok('set', 'orders', 'e', '5')
    await first.sees('set e')
    await killed(first.child, 'SIGKILL')
    await here.ok('set', 'orders', 'f', '6')
    const second = new Watching('orders', '--cursor', 'orders.cursor')
    await second.sees('set f')
    // What came within the last half second before the kill may come again.
    expect(['set e', 'set f']).toEqual(expect.arrayContaining(await second.ended()))
  })

  test('says so where it cannot go on, and begins with the whole collection', async () => {
    await killed(peer, 'SIGKILL')
    peer = (await here.peer('--name', 'watched')).child
    await here.ok('set', 'orders', 'new', '1')
    const first = new Watching('orders', '--cursor', 'orders.cursor')
    await first.sees('set new')
    expect(first.lines[0]).toEqual({ type: 'reset', reason: 'TOKEN_TIMEOUT' })
    expect(await first.ended()).toEqual(['reset ', 'set new'])
    expect(first.stderr).toMatch(
      /the watch cannot go on from this cursor: .*beginning with the whole collection; what does/s,
    )
    const second = new Watching('orders', '--cursor', 'orders.cursor')
    await here.ok('set', 'orders', 'newer', '2')
    await second.sees('set newer')
    expect(await second.ended()).toEqual(['set newer'])
  })

  test('of a collection that was dropped since begins with the new one of that name', async () => {
    await here.ok('set', 'drafts', 'old', '1')
    const first = new Watching('drafts', '--cursor', 'drafts.cursor')
    await first.sees('set old')
    expect(await first.ended()).toEqual(['set old'])
    await here.ok('drop', 'drafts')
    await here.ok('set', 'drafts', 'new', '2')
    const second = new Watching('drafts', '--cursor', 'drafts.cursor')
    await second.sees('set new')
    expect(second.lines[0]).toEqual({ type: 'reset', reason: 'CURSOR_EXPIRED' })
    expect(await second.ended()).toEqual(['reset ', 'set new'])
    expect(second.stderr).toContain('the map was dropped since this cursor')
    const third = new Watching('drafts', '--cursor', 'drafts.cursor')
    await here.ok('set', 'drafts', 'newer', '3')
    await third.sees('set newer')
    await here.ok('drop', 'drafts')
    await until(() => third.child.exitCode !== null, 'the watch ends with its collection')
    expect(third.child.exitCode).toBe(1)
    expect(JSON.parse(third.stderr)).toMatchObject({
      error: { code: 'COLLECTION_DROPPED', advice: expect.stringContaining('Run the same command again') as string },
    })
  })

  test('of a collection that was dropped waits for the next one of that name, and does not make it', async () => {
    const watch = new Watching('drafts', '--cursor', 'drafts.cursor')
    await until(() => watch.lines.length > 0, 'it says that it cannot go on')
    expect(watch.lines).toEqual([{ type: 'reset', reason: 'CURSOR_EXPIRED' }])
    expect(watch.stderr).toContain("no collection 'drafts' is known to this peer: it was dropped since this cursor")
    expect(await collections()).not.toContain('drafts')
    await here.ok('set', 'drafts', 'newest', '4')
    await watch.sees('set newest')
    expect(await watch.ended()).toEqual(['reset ', 'set newest'])
  })

  test('of another collection, or a file without a cursor, is refused and left alone', async () => {
    const cursor = readFileSync(join(folder, 'orders.cursor'), 'utf8')
    expect(await here.error('watch', 'others', '--cursor', 'orders.cursor')).toMatchObject({
      code: 'INVALID_TOKEN',
      advice: expect.stringContaining('remove orders.cursor') as string,
    })
    expect(readFileSync(join(folder, 'orders.cursor'), 'utf8')).toBe(cursor)
    expect(await collections()).not.toContain('others')
    writeFileSync(join(folder, 'letter.txt'), 'Dear Ada,\n')
    expect(await here.error('watch', 'orders', '--cursor', 'letter.txt')).toMatchObject({ code: 'FILE' })
    expect(readFileSync(join(folder, 'letter.txt'), 'utf8')).toBe('Dear Ada,\n')
  })
})

describe('a watch from a cursor of one line on', () => {
  test('shows what came after it, of the keys that are asked for', async () => {
    await here.ok('set', 'people', 'ada', '1')
    const first = new Watching('people', '--initial')
    await first.sees('set ada')
    await first.ended()
    const { cursor = '' } = first.lines.at(-1)!
    expect(first.stderr).toContain(`to go on after this: --since ${cursor}`)
    await here.ok('set', 'people', 'bob', '2')
    await here.ok('set', 'people', 'alan', '3')
    const second = new Watching('people', '--since', cursor, '--prefix', 'a')
    await second.sees('set alan')
    expect(await second.ended()).toEqual(['set alan'])
    const text = here.spawn('watch', 'people', '--since', cursor)
    let seen = ''
    text.stdout!.setEncoding('utf8').on('data', (more: string) => (seen += more))
    await until(() => /set +alan +3\n/.test(seen) && /set +bob +2\n/.test(seen), 'both are shown')
    expect(await killed(text, 'SIGINT')).toBe(0)
    expect(seen).not.toContain(cursor)
  })

  test('that is none, or that cannot be, is an error', async () => {
    expect(await here.error('watch', 'people', '--since', 'x')).toMatchObject({ exit: 2, code: 'INVALID_TOKEN' })
    expect(await here.error('watch', 'people', '--since', 'x', '--key', 'ada')).toMatchObject({
      exit: 2,
      code: 'USAGE',
    })
    expect(await here.error('watch', 'poeple', '--since', 'x')).toMatchObject({ exit: 2, code: 'INVALID_TOKEN' })
    expect(await collections()).not.toContain('poeple')
  })
})
