import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { build } from 'esbuild'
import fc from 'fast-check'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import * as whole from '../../packages/core/src/bytes/cbor.ts'
import { scanCbor } from '../../packages/core/src/bytes/cbor-scanner.ts'
import { BROWSER_PLUGINS } from '../../packing/browser-bundle.ts'
import { usedParts } from '../../packing/known-parts.ts'
import { FIRST_IN_FIRST_OUT, LOCK, SEEN_FILTER, pruned } from '../../packing/pruning.ts'

const LIBP2P = join(import.meta.dirname, '../../node_modules', 'libp2p/dist/src')

it('calls of log are removed, and other code stays', () => {
  const text = `
    this.log('opened %s', name)
    connection.log.trace('sent'); log.error('lost'); if (odd) this.log.error('odd')
    work.catch(error => this.log.error('failed - %e', error))
    const bits = Math.log(2), scope = this.log.newScope('x')`
  expect(pruned('module.js', text)).toBe(`
    void 0
    void 0; void 0; if (odd) void 0
    work.catch(error => void 0)
    const bits = Math.log(2), scope = this.log.newScope('x')`)
})

it('the replacement of the cuckoo filter knows what was added, by content, and stays bounded', async () => {
  const source = `data:text/javascript,${encodeURIComponent(SEEN_FILTER)}`
  const { createScalableCuckooFilter } = (await import(/* @vite-ignore */ source)) as {
    createScalableCuckooFilter: () => Record<'has' | 'add' | 'remove', (item: Uint8Array | string) => boolean>
  }
  const filter = createScalableCuckooFilter()
  filter.add(Uint8Array.of(1, 2))
  filter.add('/ip4/192.0.2.1')
  expect([Uint8Array.of(1, 2), '/ip4/192.0.2.1', Uint8Array.of(12)].map(filter.has)).toEqual([true, true, false])
  expect([filter.remove('/ip4/192.0.2.1'), filter.has('/ip4/192.0.2.1')]).toEqual([true, false])
  for (let i = 0; i < 5000; i++) filter.add(`/ip4/${i}`)
  expect([filter.has(Uint8Array.of(1, 2)), filter.has('/ip4/4999')]).toEqual([false, true])
})

it('the replacement of the ring buffer gives items in order, and has all methods that libp2p calls', async () => {
  const source = `data:text/javascript,${encodeURIComponent(FIRST_IN_FIRST_OUT)}`
  type Queue = Record<'push' | 'peekFront' | 'shift' | 'clear', (item?: number) => unknown>
  const { default: Made } = (await import(/* @vite-ignore */ source)) as { default: new () => Queue }
  const queue = new Made()
  const left: number[] = []
  for (let i = 0; i < 1000; i++) {
    queue.push(i)
    left.push(i)
    for (let taken = 0; taken < i % 3; taken++) {
      expect(queue.peekFront()).toBe(left.shift())
      queue.shift()
    }
  }
  queue.clear()
  expect(queue.peekFront()).toBeUndefined()
  queue.push(7)
  expect(queue.peekFront()).toBe(7)
  const user = join(LIBP2P, '../../../@libp2p/gossipsub/dist/src/score/message-deliveries.js')
  const called = Array.from((await readFile(user, 'utf8')).matchAll(/this\.queue\.(\w+)\(/g), ([, method]) => method!)
  expect(called.length).toBeGreaterThan(3)
  expect(called.filter((method) => typeof queue[method as keyof Queue] !== 'function')).toEqual([])
})

describe('the replacement of the lock', () => {
  type Lock = (options?: { signal?: AbortSignal }) => Promise<() => void>
  let mutex: { readonly readLock: Lock; readonly writeLock: Lock; readonly finalize: () => void }

  beforeEach(async () => {
    const source = `data:text/javascript,${encodeURIComponent(LOCK)}`
    const { default: mortice } = (await import(/* @vite-ignore */ source)) as { default: () => typeof mutex }
    mutex = mortice()
  })

  it('lets one holder in at a time, in the order of asking', async () => {
    const order: number[] = []
    let inside = 0
    const hold = async (i: number): Promise<void> => {
      const release = await (i % 2 === 0 ? mutex.readLock() : mutex.writeLock())
      inside += 1
      expect(inside).toBe(1)
      order.push(i)
      await new Promise((resolve) => setTimeout(resolve, 1))
      inside -= 1
      release()
    }
    await Promise.all([0, 1, 2, 3, 4].map(hold))
    expect(order).toEqual([0, 1, 2, 3, 4])
    mutex.finalize()
  })

  it('is given to the next one when the one before gave up waiting', async () => {
    const release = await mutex.writeLock()
    const stop = new AbortController()
    const given = mutex.readLock({ signal: stop.signal })
    const next = mutex.writeLock()
    stop.abort('enough')
    await expect(given).rejects.toBe('enough')
    await expect(mutex.readLock({ signal: AbortSignal.abort('before') })).rejects.toBe('before')
    release()
    ;(await next)()
    ;(await mutex.readLock())()
  })

  it('has all methods that libp2p calls', async () => {
    const user = join(LIBP2P, '../../../@libp2p/peer-store/dist/src/store.js')
    const called = Array.from((await readFile(user, 'utf8')).matchAll(/lock\.lock\.(\w+)\(/g), ([, method]) => method!)
    expect(called.length).toBeGreaterThan(2)
    expect(called.filter((method) => typeof mutex[method as keyof typeof mutex] !== 'function')).toEqual([])
  })
})

it('two of three ways to decode a message stay', () => {
  const text = `import { message } from 'protons-runtime'
    message((value, writer) => {}, (reader) => ({}), function* (reader) { yield 1 })
    function stream() { return streamMessage() }
    Kind.stream = stream`
  const rest = pruned('module.js', text)
  expect(rest).toContain('message((value, writer) => {}, (reader) => ({}))')
  expect(rest).not.toContain('stream')
})

it('counters for monitoring are removed', () => {
  const text = `
    this.metrics = init.metrics?.register('x') ?? components.metrics
    if (components.metrics != null) components.metrics.add()
    this.metrics?.sent.inc(1)
    this.metrics.dials?.increment({ count: true })
    const find = components.metrics?.traceFunction('find', find) ?? find`
  const rest = pruned('module.js', text)
  expect(rest).toBe(`
    undefined
    if (undefined != null) undefined()
    undefined?.sent.inc(1)
    undefined?.increment({ count: true })
    const find = undefined?.traceFunction('find', find) ?? find`)
})

it('known expressions become constants, and code that never runs is removed', () => {
  const text = `let shared
    if (shared) shared = load({ shared: 1 })
    function unused() {}
    switch (kind) { case 1: read(); case 2: read(options.shared) }
    if (kind) again()`
  const known = {
    constants: { shared: 'null', 'options.shared': 'false' },
    unused: [/^function unused/, /^case 1:/, /^again/],
  }
  expect(usedParts('module.js', text, known)).toBe(`let shared
    if (null) null
    ;
    switch (kind) {  case 2: read(false) }
    if (kind) ;`)
})

it('a module that lacks a known part is refused', () => {
  const parts = (constant: string, unused: RegExp) => (): string =>
    usedParts('module.js', 'let a = b.c; run()', { constants: { [constant]: 'null' }, unused: [unused] })
  expect(parts('b.c', /^run/)).not.toThrow()
  expect(parts('b.d', /^run/)).toThrow('module.js is another than the one that was known here, without b.d')
  expect(parts('b.c', /^walk/)).toThrow('without /^walk/')
})

it('the replacement of a part of libp2p has all methods that libp2p calls', async () => {
  const calling = await readFile(`${LIBP2P}/address-manager/index.js`, 'utf8')
  for (const [file, name, field] of [
    ['ip-mappings', 'IPMappings', 'ipMappings'],
    ['dns-mappings', 'DNSMappings', 'dnsMappings'],
  ] as const) {
    const { outputFiles } = await build({
      stdin: { contents: `export * from '${LIBP2P}/address-manager/${file}.js'`, resolveDir: LIBP2P },
      bundle: true,
      format: 'esm',
      write: false,
      plugins: BROWSER_PLUGINS,
    })
    const module = (await import(`data:text/javascript,${encodeURIComponent(outputFiles[0]!.text)}`)) as Record<
      string,
      new () => Record<string, unknown>
    >
    const called = Array.from(calling.matchAll(new RegExp(`this\\.${field}\\.(\\w+)\\(`, 'g')), ([, method]) => method!)
    const standIn = new module[name]!()
    expect(called.length).toBeGreaterThan(4)
    expect(called.filter((method) => typeof standIn[method] !== 'function')).toEqual([])
  }
})

describe('the remaining part of cbor-x', () => {
  let code: string
  let left: typeof whole

  beforeAll(async () => {
    const { outputFiles } = await build({
      entryPoints: ['packages/core/src/bytes/cbor.ts'],
      bundle: true,
      format: 'esm',
      platform: 'browser',
      minifySyntax: true,
      write: false,
      plugins: BROWSER_PLUGINS,
    })
    code = outputFiles[0]!.text
    left = (await import(`data:text/javascript;base64,${Buffer.from(code).toString('base64')}`)) as typeof whole
  })

  const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 200 }), fc.string({ maxLength: 200 }))
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: 'medium' },
      fc.constantFrom(null, true, false, NaN, Infinity, -Infinity, Number.MIN_VALUE, 23, 24, 255, 256, 65_535, 65_536),
      fc.maxSafeInteger(),
      fc.integer(),
      fc.double(),
      fc.bigInt({ min: -(2n ** 64n) + 1n, max: 2n ** 64n - 1n }),
      text,
      fc.uint8Array({ maxLength: 300 }),
      fc.date({ min: new Date(-(2 ** 51)), max: new Date(2 ** 51), noInvalidDate: true }),
      fc.array(fc.oneof(tie('value'), fc.constant(undefined)), { maxLength: 40 }),
      fc.dictionary(
        text.filter((key) => key !== '__proto__'),
        tie('value'),
        { maxKeys: 40 },
      ),
    ),
  }))

  it('knows no records, no shared structures, no streams and no tag but that of a date', () => {
    expect(code).not.toMatch(/getShared|decodeMultiple|encodeAsIterable|new Function/)
    expect(code.match(/currentExtensions\[\w+\] =/g)).toEqual(['currentExtensions[1] ='])
  })

  it('writes and reads every plain value like the whole library', () => {
    fc.assert(
      fc.property(value, (each) => {
        const bytes = whole.encodeValue(each, 1 << 20)
        expect(left.encodeValue(each, 1 << 20)).toEqual(bytes)
        expect(left.decodeValue(bytes)).toStrictEqual(whole.decodeValue(bytes))
      }),
      { numRuns: 1000 },
    )
    const large = {
      list: Array.from({ length: 70_000 }, (_, i) => i),
      text: 'ä'.repeat(70_000),
      bytes: new Uint8Array(70_000),
    }
    const bytes = whole.encodeValue(large, 1 << 20)
    expect(left.encodeValue(large, 1 << 20)).toEqual(bytes)
    expect(left.decodeValue(bytes)).toStrictEqual(large)
  })

  const items = [
    ...['00', '17', '1818', '190100', '1a00010000', '1b0000000100000000', '1bffffffffffffffff', '37', '3818', '390100'],
    ...['3affffffff', '3bffffffffffffffff', '40', '4101', '580101', '59000101', '5a0000000101', '60', '6161', '780161'],
    ...['79000161', '7a0000000161', '80', '8101', '980101', '99000101', '9a0000000101', 'a0', 'a1616101', 'b801616101'],
    ...['b90001616101', 'ba00000001616101', 'f4', 'f5', 'f6', '81f7', 'f90000', 'f93c00', 'f90001', 'f97c00', 'f97e00'],
    ...['fa3f800000', 'fa7fc00000', 'fb3ff199999999999a', 'fbfff0000000000000', 'c100', 'c11a5f5e1000', 'c13a5f5e1000'],
    ...['c1f93c00', 'c1fa3f800000', 'c1fb41d7d78400000000', '82a16161c10181f6'],
  ]

  it('reads every form that the scanner accepts like the whole library', () => {
    for (const hex of items) {
      const bytes = Uint8Array.from(Buffer.from(hex, 'hex'))
      scanCbor(bytes)
      expect(left.decodeValue(bytes), hex).toStrictEqual(whole.decodeValue(bytes))
    }
  })

  it.each<[string, unknown]>([
    ['Map', new Map([['a', 1]])],
    ['Set', new Set([1])],
    ['Error', new Error('no')],
    ['RegExp', /a/],
    ['Uint16Array', new Uint16Array(2)],
    ['function', () => 1],
    ['bigint of more than 64 bits', 2n ** 70n],
    ['iterator', [1].values()],
  ])('refuses what is not plain (%s), also when a getter shows it to the encoder alone', (_, odd) => {
    const lying = (): unknown => {
      let count = 0
      return Object.defineProperty({}, 'x', { enumerable: true, get: () => (count++ === 0 ? 1 : odd) })
    }
    for (const { encodeValue } of [whole, left]) {
      expect(() => encodeValue(odd, 1 << 20)).toThrow(expect.objectContaining({ code: 'INVALID_VALUE' }))
      expect(() => encodeValue(lying(), 1 << 20)).toThrow(expect.objectContaining({ code: 'INVALID_VALUE' }))
    }
  })
})
