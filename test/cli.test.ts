import type { ChildProcess } from 'node:child_process'
import { createWriteStream, existsSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { Surroundings, ended, folder, killed, removeAll, until } from './cli-rig/surroundings.ts'
import type { Started } from './cli-rig/surroundings.ts'

afterAll(removeAll)

describe('against one running peer', () => {
  const here = new Surroundings('one')
  let peer: ChildProcess
  let started: Started
  beforeAll(async () => {
    ;({ child: peer, started } = await here.peer('--name', 'shop', '--data', 'shop', '--metrics', '0'))
  })

  test('set, get, list and delete entries', async () => {
    expect(await here.ok('set', 'users', 'ada', '{"age":36}')).toBe('')
    await here.ok('set', 'users', 'bob', 'no JSON, so text')
    await here.ok('set', 'users', 'zip', '1000', '--string')
    await here.ok('set', 'users', 'cold', '-5')
    expect(await here.ok('get', 'users', 'ada')).toBe('{"age":36}\n')
    expect(await here.ok('get', 'users', 'zip')).toBe('"1000"\n')
    expect(await here.ok('get', 'users', 'cold')).toBe('-5\n')
    expect(await here.ok('get', 'users', 'bob', '--raw')).toBe('no JSON, so text')
    expect(await here.json('get', 'users', 'ada')).toEqual({ collection: 'users', key: 'ada', value: { age: 36 } })
    const set = await here.json<object>('set', 'users', 'eve', '1')
    expect(set).toMatchObject({ collection: 'users', key: 'eve', receipt: { durable: true, copies: 1, version: {} } })
    expect((await here.ok('entries', 'users', '--keys-only')).trim().split('\n').toSorted()).toEqual([
      'ada',
      'bob',
      'cold',
      'eve',
      'zip',
    ])
    expect(await here.ok('entries', 'users', '--prefix', 'a')).toBe('ada\t{"age":36}\n')
    expect((await here.ok('entries', 'users', '--limit', '2', '--json')).split('\n')).toHaveLength(3)
    expect(JSON.parse(await here.ok('entries', 'users', '--prefix', 'a', '--format', 'json'))).toEqual([
      { key: 'ada', value: { age: 36 } },
    ])
    expect(await here.json('delete', 'users', 'eve')).toMatchObject({ key: 'eve', receipt: { durable: true } })
    expect(await here.error('delete', 'users', 'eve')).toMatchObject({ exit: 1, code: 'NOT_FOUND' })
  })

  test('keys and collections with any text stay distinct', async () => {
    const keys = ['..', 'a/b?c=d&e#f', 'größe %41', '{"end":1}']
    await Promise.all(keys.map((key) => here.ok('set', '../strange', key, JSON.stringify(key))))
    const values = await Promise.all(keys.map((key) => here.ok('get', '../strange', key)))
    expect(values.map((value) => JSON.parse(value) as unknown)).toEqual(keys)
    expect((await here.ok('entries', '../strange', '--keys-only')).trim().split('\n')).toHaveLength(4)
  })

  test('a value comes from stdin, also as bytes', async () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i)
    await here.run(['set', 'files', 'all', '--bytes'], bytes)
    expect(JSON.parse(await here.ok('get', 'files', 'all'))).toEqual({ $bytes: Buffer.from(bytes).toString('base64') })
    await here.run(['set', 'files', 'text', '-'], '[1,2]\n')
    expect(await here.ok('get', 'files', 'text')).toBe('[1,2]\n')
  })

  test('status shows the state of the peer to people and to programs', async () => {
    const status = await here.json<Record<string, unknown>>('status')
    expect(status).toMatchObject({
      name: 'shop',
      peerId: started.peerId,
      pid: peer.pid,
      storage: { healthy: true, persistent: true },
    })
    expect(await here.ok('status')).toContain(started.peerId)
    expect(await here.json('members')).toMatchObject({
      members: [{ self: true, state: 'alive', peerId: started.peerId }],
    })
    expect(await here.ok('members')).toMatch(/^PEER +STATE/)
    const { collections } = await here.json<Collections>('collections')
    expect(collections.map(({ name }) => name)).toContain('users')
    for (const command of ['status', 'members', 'collections']) {
      const wide = (await here.ok(command)).split('\n').filter((line) => line.length > 80 && !line.startsWith('socket'))
      expect(wide, command).toEqual([])
    }
    const metrics = await fetch(status['metrics'] as string)
    expect(await metrics.text()).toContain('# TYPE')
  })

  test('watch shows changes as they arrive, until Ctrl-C', async () => {
    const watch = here.spawn('watch', 'orders', '--json', '--prefix', 'o')
    let seen = ''
    let noted = ''
    watch.stdout!.on('data', (chunk: Buffer) => (seen += chunk.toString()))
    watch.stderr!.on('data', (chunk: Buffer) => (noted += chunk.toString()))
    await until(() => noted.includes('no entries yet'), 'the watch runs')
    expect(JSON.parse(noted)).toEqual({ note: "'orders' has no entries yet; waiting for the first" })
    // A mistyped name must not make a collection.
    const { collections } = await here.json<Collections>('collections')
    expect(collections.map(({ name }) => name)).not.toContain('orders')
    // The note is printed before the watch has started at the peer: write until it shows a change.
    await until(async () => {
      await here.ok('set', 'orders', 'o-1', '{"total":9}')
      return seen !== ''
    }, 'a change is seen')
    await here.ok('set', 'orders', 'x', '1')
    await here.ok('delete', 'orders', 'o-1')
    await until(() => seen.includes('delete'), 'the delete is seen')
    expect(await killed(watch, 'SIGINT')).toBe(0)
    const lines = seen
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as object)
    expect(lines[0]).toEqual({ type: 'set', key: 'o-1', value: { total: 9 } })
    expect(lines.at(-1)).toEqual({ type: 'delete', key: 'o-1' })
  })

  test('an error says what to do, and its exit code says of which kind it is', async () => {
    const says = (text: string): string => expect.stringContaining(text) as string
    const errors: readonly (readonly [typed: readonly string[], error: object])[] = [
      [
        ['get', 'users', 'missing'],
        { exit: 1, code: 'NOT_FOUND', message: "no entry 'missing' in 'users' at this peer" },
      ],
      [['get', 'usres', 'ada'], { exit: 1, code: 'NOT_FOUND', advice: says('users') }],
      [['get', 'users'], { exit: 2, code: 'USAGE' }],
      [['gte', 'users'], { exit: 2, message: says('Did you mean get?') }],
      [['set', 'users', 'ada', '{age:36}'], { exit: 2, advice: says('--string') }],
      [['set', 'users', 'ada', '1', '--copies', '2', '--timeout', '200ms'], { exit: 1, code: 'COPIES_TIMEOUT' }],
      [['set', 'users', '', '1'], { exit: 2, code: 'INVALID_KEY' }],
      [['set', 'users', 'ada', '12345678901234567890'], { exit: 2, message: says('would lose digits') }],
      [['status', '--name', 'other'], { exit: 3, code: 'NO_PEER', message: says('--name shop') }],
      [['status', '--socket', join(folder, 'none.sock')], { exit: 3, code: 'NO_PEER' }],
      [['import', 'users', 'none.csv'], { exit: 1, code: 'FILE' }],
      [['import', 'users', 'none.csv', '--owners', '2'], { exit: 2, code: 'USAGE', message: says('--partitioned') }],
      [
        ['backup', 'none/shop'],
        { exit: 1, code: 'FILE', message: says(`there is no directory ${join(folder, 'none')}`) },
      ],
      [
        ['peer', '--name', 'shop', '--data', 'shop'],
        { exit: 1, code: 'STORAGE_IN_USE', advice: says('another --data') },
      ],
      // A service must not start again and again with options that are wrong for good.
      [['peer', '--name', ''], { exit: 2, code: 'INVALID_NAME', advice: says('--name shop') }],
      [['peer', '--name', 'new', '--listen', '99999'], { exit: 2, code: 'USAGE', message: says('from 0 to 65535') }],
      [['peer', '--name', 'new', '--listen', '/ip4/127.0.0.1/tcp/70000'], { exit: 2, code: 'NETWORK_BAD_ADDRESS' }],
      [
        ['peer', '--name', 'new', '--data', join('shop', 'CURRENT')],
        { exit: 1, code: 'STORAGE_NOT_WRITABLE', advice: says('--data a directory') },
      ],
      [
        ['peer', '--name', 'new', '--no-mdns', '--listen', started.addresses[0]!.replace(/\/p2p\/.*/, '')],
        { exit: 1, code: 'NETWORK_PORT_TAKEN', advice: says('--listen') },
      ],
    ]
    await Promise.all(
      errors.map(async ([typed, error]) => expect(await here.error(...typed), typed.join(' ')).toMatchObject(error)),
    )
  })

  test('export and import keep values that JSON cannot express, in every format', async () => {
    const values = {
      bytes: '{"$bytes":"AP8="}',
      date: '{"$date":"2026-01-31T12:00:00.123Z"}',
      big: '{"$bigint":"-18446744073709551615"}',
      nan: '{"$number":"NaN"}',
      gap: '{"a":{"$undefined":true},"b":[1,{"$bytes":""}]}',
      tag: '{"$$bytes":"not really"}',
      numeric: '"007"',
      number: '{"n":"36","m":36,"empty":""}',
    }
    const lines = Object.entries(values).map(([key, value]) => `{"key":"${key}","value":${value}}`)
    await here.run(['import', 'special'], lines.join('\n'))
    for (const extension of ['ndjson', 'json', 'csv']) {
      await here.ok('export', 'special', `special.${extension}`)
      await here.ok('import', `back-${extension}`, `special.${extension}`)
      const back = (await here.ok('entries', `back-${extension}`, '--json')).trim().split('\n')
      const sorted = (rows: string[]): unknown[] => rows.toSorted().map((row) => JSON.parse(row) as unknown)
      expect(sorted(back), extension).toEqual(sorted(lines))
    }
  })

  test('completion offers commands and the collections of the peer', async () => {
    await here.ok('set', 'friends', 'ada', '1')
    // On a busy machine the peer may answer later than a shell waits for names.
    await expect.poll(() => here.ok('complete', '--', 'get', '')).toContain('friends')
    expect(await here.ok('complete', '--', 'exp')).toContain('export')
    expect(await here.ok('complete', 'bash')).toContain('gossipgrid')
  })

  test('the doctor finds nothing to fix here, and elsewhere a taken port and a program that is no peer', async () => {
    const [, , , , port] = started.addresses[0]!.split('/')
    const address = `127.0.0.1:${port}`
    const doctor = ['doctor', '--no-mdns', '--join', address]
    // That program has five seconds to answer; the other checks run meanwhile.
    const bad = here.run([...doctor, '--listen', address, '--name', 'other', '--data', 'shop'])
    const well = await here.json<Health>(...doctor, '--listen', '127.0.0.1:0', '--name', 'shop', '--data', 'new')
    expect(well.ok).toBe(true)
    expect(well.findings.map(({ check }) => check)).toEqual(
      expect.arrayContaining(['node', 'clock', 'port', 'storage', 'synced write', 'join']),
    )
    expect(existsSync(join(folder, 'new'))).toBe(false)
    const { code, stdout } = await bad
    expect(code).toBe(1)
    expect(stdout).toMatch(/✗ port .* is taken/)
    expect(stdout).toMatch(/✗ join .* does not meet/)
    expect(stdout).toMatch(new RegExp(`! store .* in use by the process ${peer.pid}`))
  })

  test('SIGTERM closes the peer in good order, and everything is there afterwards', async () => {
    expect(await killed(peer, 'SIGTERM')).toBe(0)
    expect(readdirSync(here.runtimeDirectory)).toEqual([])
    const paths = ['', ...readdirSync(join(folder, 'shop'))].map((name) => join(folder, 'shop', name))
    expect(paths.filter((path) => (statSync(path).mode & 0o077) !== 0)).toEqual([])
    const { findings } = await here.json<Health>('doctor', '--no-mdns', '--data', 'shop')
    expect(findings.find(({ check }) => check === 'store')).toMatchObject({
      state: 'ok',
      text: expect.stringContaining('opens, with') as string,
    })
    expect(await here.error('peer', '--name', 'other', '--data', 'shop')).toMatchObject({
      exit: 2,
      code: 'STORAGE_OTHER_GRID',
      message: expect.stringContaining("the data of grid 'shop'") as string,
    })
    const again = await here.peer('--name', 'shop', '--data', 'shop')
    expect(again.started.peerId).toBe(started.peerId)
    expect(await here.ok('get', 'users', 'bob', '--raw')).toBe('no JSON, so text')
    await killed(again.child, 'SIGTERM')
  })
})

interface Collections {
  readonly collections: readonly { readonly name: string; readonly entries: number }[]
}

interface Health {
  readonly ok: boolean
  readonly findings: readonly { readonly check: string; readonly state: string; readonly text: string }[]
}

describe('many rows', () => {
  const here = new Surroundings('rows')
  const ROWS = 100_000
  const csv = join(folder, 'cities.csv')
  let peer: ChildProcess
  const startPeer = async (): Promise<void> => {
    ;({ child: peer } = await here.peer('--name', 'rows', '--data', 'rows'))
  }
  beforeAll(async () => {
    const file = createWriteStream(csv)
    file.write('id,name,population,zip\n')
    for (let i = 0; i < ROWS; i++) file.write(`${i},"City ""${i}"", north",${i * 7},${String(i).padStart(6, '0')}\n`)
    file.end()
    await once(file, 'close')
    await startPeer()
  })
  afterEach(() => {
    rmSync(join(folder, 'some.ndjson'), { force: true })
  })

  test('a killed import continues where it was, and an export returns what was imported', async () => {
    const journals = (): string[] => readdirSync(folder).filter((name) => /^cities\.csv\.import-\w+\.json$/.test(name))
    const first = here.spawn('import', 'cities', csv, '--key-column', 'id')
    await until(() => journals().length > 0, 'a journal is written')
    await killed(first)
    const { rows } = JSON.parse(readFileSync(join(folder, journals()[0]!), 'utf8')) as { rows: number }
    expect(rows).toBeGreaterThan(0)
    expect(rows).toBeLessThan(ROWS)
    writeFileSync(join(folder, 'foreign.json'), '{"precious":true}')
    expect(await here.error('import', 'cities', csv, '--key-column', 'id', '--resume', 'foreign.json')).toMatchObject({
      code: 'FILE',
      advice: expect.stringContaining('--restart') as string,
    })
    const { code, stderr, stdout } = await here.run(['import', 'cities', csv, '--key-column', 'id', '--json'])
    expect(code, stderr).toBe(0)
    expect(stderr).toContain(`going on after ${rows.toLocaleString('en-US')} rows`)
    expect(JSON.parse(stdout)).toMatchObject({ rows: ROWS, written: ROWS, skipped: 0, resumedAt: rows })
    expect(journals()).toEqual([])
    await here.ok('export', 'cities', 'out.csv', '--key-column', 'id')
    const sorted = (file: string): string[] => readFileSync(file, 'utf8').trimEnd().split('\n').toSorted()
    expect(sorted(join(folder, 'out.csv'))).toEqual(sorted(csv))
    expect(readdirSync(folder).filter((name) => name.endsWith('.part'))).toEqual([])
  })

  test('an interrupted import says how far it came, and a killed peer loses no imported row', async () => {
    const child = here.spawn('import', 'again', csv, '--key-column', 'id')
    const over = ended(child)
    const journal = (): string | undefined =>
      readdirSync(folder).find((name) => /^cities\.csv\.import-\w+\.json$/.test(name))
    await until(() => journal() !== undefined, 'a journal is written')
    child.kill('SIGINT')
    const { code, stderr } = await over
    expect(code).toBe(130)
    expect(stderr).toMatch(/interrupted\. [\d,]+ rows are acknowledged\.\nThe same command goes on from there\./)
    const { rows } = JSON.parse(readFileSync(join(folder, journal()!), 'utf8')) as { rows: number }
    await killed(peer)
    expect(await here.error('import', 'again', csv, '--key-column', 'id')).toMatchObject({ exit: 3, code: 'NO_PEER' })
    await startPeer()
    const { collections } = await here.json<Collections>('collections')
    expect(collections.find(({ name }) => name === 'again')!.entries).toBeGreaterThanOrEqual(rows)
    await here.ok('import', 'again', csv, '--key-column', 'id')
    const after = await here.json<Collections>('collections')
    expect(after.collections.find(({ name }) => name === 'again')!.entries).toBe(ROWS)
  })

  test('a bad row is named, and skipped on request', async () => {
    writeFileSync(
      join(folder, 'some.ndjson'),
      '{"key":"a","value":1}\nnonsense\n{"key":"b","value":2}\n{"key":"","value":3}\n{"key":"c"}\n',
    )
    expect(await here.error('import', 'some', 'some.ndjson')).toMatchObject({
      exit: 1,
      code: 'BAD_ROW',
      message: expect.stringMatching(/^line 2: /) as string,
    })
    const { code, stderr, stdout } = await here.run([
      'import',
      'some',
      'some.ndjson',
      '--skip-bad',
      '3',
      '--restart',
      '--json',
    ])
    expect(code, stderr).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ rows: 5, written: 2, skipped: 3 })
    expect(stderr).toContain("skipped line 5, column 'value': is missing")
    expect(stderr).toContain('skipped line 4: a key must not be empty')
    expect((await here.error('import', 'some', 'some.ndjson', '--skip-bad', '2', '--restart')).message).toContain(
      'more than 2 bad rows',
    )
  })

  test('rows stream from stdin to stdout, and a reader that has enough ends the command', async () => {
    const { code, stderr } = await here.run(['import', 'piped', '--format', 'csv'], 'key,n\na,1\nb,2\n')
    expect(code, stderr).toBe(0)
    expect((await here.ok('export', 'piped')).trim().split('\n').toSorted()).toEqual([
      '{"key":"a","value":{"n":1}}',
      '{"key":"b","value":{"n":2}}',
    ])
    const child = here.spawn('entries', 'cities')
    const over = ended(child)
    child.stdout!.once('data', () => child.stdout!.destroy())
    expect((await over).code).toBe(0)
    await killed(peer, 'SIGTERM')
  })
})

describe('two peers on one machine', () => {
  const here = new Surroundings('two')

  test('meet with one secret, copy writes, and have different names', async () => {
    await here.ok('secret', '--out', 'grid.secret')
    expect(statSync(join(folder, 'grid.secret')).mode & 0o777).toBe(0o600)
    expect(await here.error('secret', '--out', 'grid.secret')).toMatchObject({
      exit: 1,
      code: 'FILE',
      advice: expect.stringContaining('--force') as string,
    })
    const grid = ['--name', 'pair', '--secret-file', 'grid.secret']
    const first = await here.peer(...grid, '--data', 'first')
    await here.ok('secret', '--out', 'other.secret')
    const stranger = here.run([
      ...['doctor', '--no-mdns', '--name', 'pair', '--secret-file', 'other.secret'],
      ...['--join', first.started.addresses[0]!],
    ])
    const second = await here.peer(...grid, '--data', 'second', '--join', first.started.addresses[0]!)
    const [one, two] = [first, second].map(({ started }) => ['--peer', started.peerId.slice(-8)]) as [
      string[],
      string[],
    ]
    expect(await here.error('get', 'users', 'ada')).toMatchObject({
      exit: 2,
      code: 'SEVERAL_PEERS',
      message: expect.stringContaining(one[1]!) as string,
    })
    type Written = { readonly receipt: { readonly token: string } }
    const { receipt } = await here.json<Written>('set', 'users', 'ada', '36', '--copies', '2', ...one)
    expect(receipt).toMatchObject({ durable: true, copies: 2 })
    expect(await here.ok('get', 'users', 'ada', ...two)).toBe('36\n')
    const { receipt: next } = await here.json<Written>('set', 'users', 'ada', '37', ...one)
    expect(await here.ok('get', 'users', 'ada', '--after', next.token, '--timeout', '20s', ...two)).toBe('37\n')
    expect(await here.error('get', 'users', 'ada', '--after', 'x', ...two)).toMatchObject({ code: 'INVALID_TOKEN' })
    for (const copies of [
      ['--copies', 'all'],
      ['--peers', '2'],
    ]) {
      const { receipt: all } = await here.json<Written>('set', 'users', 'bob', '1', ...copies, ...one)
      expect(all).toMatchObject({ peers: 2 })
    }
    const { members } = await here.json<{ members: { state: string }[] }>('members', ...two)
    expect(members.map(({ state }) => state)).toEqual(['alive', 'alive'])
    const { receipt: dropped } = await here.json<Written>('drop', 'users', '--peers', '2', ...one)
    expect(dropped).toMatchObject({ peers: 2 })
    expect((await stranger).stdout).toMatch(/✗ join/)
    await Promise.all([first, second].map(({ child }) => killed(child, 'SIGTERM')))
  })

  test('the remains of a killed peer are removed, and another peer can take its place', async () => {
    const socket = join(folder, 'own.sock')
    const first = await here.peer('--name', 'fixed', '--socket', socket)
    const other = await here.peer('--name', 'found')
    await here.ok('set', 'a', 'b', '1', '--socket', socket)
    await killed(first.child)
    await killed(other.child)
    expect(readdirSync(here.runtimeDirectory)).toHaveLength(2)
    expect(await here.error('status')).toMatchObject({
      exit: 3,
      code: 'NO_PEER',
      advice: expect.stringContaining('gossipgrid peer') as string,
    })
    expect(readdirSync(here.runtimeDirectory)).toEqual([])
    expect(await here.error('status', '--socket', socket)).toMatchObject({ exit: 3, code: 'NO_PEER' })
    const again = await here.peer('--name', 'fixed', '--socket', socket)
    await here.ok('set', 'a', 'b', '1', '--socket', socket)
    await killed(again.child, 'SIGTERM')
    expect(existsSync(socket)).toBe(false)
  })
})
