import type { Storage, StorageOperation } from '@gossipgrid/core'
import { afterEach, describe, expect, it } from 'vitest'

/** How the suite creates the adapter under test. */
export interface StorageHarness {
  /** A new, empty storage. The suite closes what it opens. */
  open(): Promise<Storage>
  /** Closes the storage and opens its content again. Leave out for an adapter that is not persistent. */
  reopen?(storage: Storage): Promise<Storage>
  /** Removes what `open` made. Called after every test, when its storages are closed. */
  cleanUp?(): Promise<void>
}

const durable = { durable: true }
const lazy = { durable: false }

/**
 * Registers vitest tests that hold an adapter of core's `Storage` port to the promises of its doc comment. Tests of the
 * adapter itself cover what only a crash can show: atomic batches, and durability.
 *
 * @example
 * ```ts
 * storageConformance('memory', { open: async () => memoryStorage() })
 * ```
 */
export function storageConformance(name: string, harness: StorageHarness): void {
  describe(`${name} keeps the promises of the storage port`, () => {
    const opened = new Set<Storage>()
    const open = async (): Promise<Storage> => {
      const storage = await harness.open()
      opened.add(storage)
      return storage
    }
    const { reopen } = harness
    afterEach(async () => {
      for (const storage of opened) await storage.close()
      opened.clear()
      await harness.cleanUp?.()
    })
    registerBlobs(open)
    registerBatches(open)
    registerBytes(open)
    registerKeys(open)
    registerClosing(open)
    if (reopen === undefined) {
      it('says that it is not persistent', async () => {
        expect((await open()).persistent).toBe(false)
      })
    } else {
      registerReopening(open, async (storage) => {
        const again = await reopen(storage)
        opened.add(again)
        return again
      })
    }
  })
}

type Open = () => Promise<Storage>

function registerBlobs(open: Open): void {
  describe('blobs', () => {
    it('reads undefined where nothing was written', async () => {
      expect(await (await open()).read('missing')).toBeUndefined()
    })

    it('reads what was written, durable or not', async () => {
      const storage = await open()
      await storage.write([put('durable', 1, 2)], durable)
      await storage.write([put('lazy', 3)], lazy)
      expect(await storage.read('durable')).toEqual(bytes(1, 2))
      expect(await storage.read('lazy')).toEqual(bytes(3))
    })

    it('an empty blob differs from a missing one', async () => {
      const storage = await open()
      await storage.write([put('empty')], durable)
      expect(await storage.read('empty')).toEqual(bytes())
    })

    it('keeps a blob of 1 MiB', async () => {
      const storage = await open()
      const large = Uint8Array.from({ length: 1024 * 1024 }, (_, i) => (i * 7 + (i >> 8)) & 255)
      await storage.write([{ type: 'put', key: 'large', bytes: large }], durable)
      expect(same(await storage.read('large'), large)).toBe(true)
    })

    it('reads undefined after a delete, and accepts a delete of a missing key', async () => {
      const storage = await open()
      await storage.write([put('a', 1)], durable)
      await storage.write([remove('a'), remove('never')], durable)
      expect(await storage.read('a')).toBeUndefined()
      expect(await storage.list('')).toEqual([])
    })
  })
}

function registerBatches(open: Open): void {
  describe('batches', () => {
    it('applies the operations of a batch in order, also several for one key', async () => {
      const storage = await open()
      await storage.write([put('a', 1), put('b', 1)], durable)
      await storage.write([put('a', 2), remove('a'), remove('b'), put('b', 3), put('b', 4), put('c', 5)], durable)
      expect(await storage.read('a')).toBeUndefined()
      expect(await storage.read('b')).toEqual(bytes(4))
      expect(await storage.read('c')).toEqual(bytes(5))
    })

    it('accepts an empty batch', async () => {
      const storage = await open()
      await storage.write([], durable)
      await storage.write([], lazy)
      expect(await storage.list('')).toEqual([])
    })

    it('applies batches in the order of the calls, durable or not, awaited or not', async () => {
      const storage = await open()
      const writes: Promise<void>[] = []
      for (let n = 0; n < 200; n++) {
        const batch = n % 3 === 2 ? [remove('last'), put('n', n)] : [put('last', n), put('n', n)]
        writes.push(storage.write(batch, n % 2 === 0 ? durable : lazy))
      }
      await Promise.all(writes)
      expect(await storage.read('n')).toEqual(bytes(199))
      expect(await storage.read('last')).toEqual(bytes(199))
    })

    it('stores every one of many concurrent durable batches', async () => {
      const storage = await open()
      const keys = Array.from({ length: 500 }, (_, n) => `k${String(n).padStart(3, '0')}`)
      await Promise.all(keys.map((key, n) => storage.write([put(key, n & 255)], durable)))
      expect(await storage.list('k')).toEqual(keys)
      const blobs = await Promise.all(keys.map((key) => storage.read(key)))
      expect(blobs).toEqual(keys.map((_, n) => bytes(n & 255)))
    })

    it('shows a batch whole or not at all to a list', async () => {
      const storage = await open()
      let writing = true
      const writer = async (): Promise<void> => {
        for (let n = 0; n < 50; n++) {
          await storage.write([put('pair/a', n), put('pair/b', n)], durable)
          await storage.write([remove('pair/a'), remove('pair/b')], durable)
        }
        writing = false
      }
      const done = writer()
      // An error of the writer surfaces at the last line, and must end the loop too.
      done.catch(() => (writing = false))
      while (writing) expect([0, 2]).toContain((await storage.list('pair/')).length)
      await done
    })
  })
}

function registerBytes(open: Open): void {
  describe('bytes', () => {
    it('does not keep the array of the caller', async () => {
      const storage = await open()
      const mine = bytes(1, 2, 3)
      await storage.write([{ type: 'put', key: 'a', bytes: mine }], durable)
      mine.fill(9)
      expect(await storage.read('a')).toEqual(bytes(1, 2, 3))
    })

    it('writes only the given part of a buffer', async () => {
      const storage = await open()
      await storage.write([{ type: 'put', key: 'a', bytes: bytes(1, 2, 3, 4).subarray(1, 3) }], durable)
      expect(await storage.read('a')).toEqual(bytes(2, 3))
    })

    it('returns bytes that belong to the caller', async () => {
      const storage = await open()
      await storage.write([put('a', 1, 2, 3)], durable)
      const first = await storage.read('a')
      first?.fill(9)
      expect(await storage.read('a')).toEqual(bytes(1, 2, 3))
    })
  })
}

function registerKeys(open: Open): void {
  describe('keys', () => {
    it('lists the keys with a prefix and no others', async () => {
      const storage = await open()
      const keys = ['a', 'a.', 'a/', 'a/1', 'a/2', 'a/~', 'a0', 'b/1', 'A/1']
      await storage.write(
        keys.map((key) => put(key, 1)),
        durable,
      )
      expect(await storage.list('a/')).toEqual(['a/', 'a/1', 'a/2', 'a/~'])
      expect(await storage.list('a/1')).toEqual(['a/1'])
      expect(await storage.list('a/11')).toEqual([])
    })

    it('lists all keys for the empty prefix and none of its own', async () => {
      const storage = await open()
      expect(await storage.list('')).toEqual([])
      await storage.write([put('b', 1), put('a', 1)], durable)
      expect(await storage.list('')).toEqual(['a', 'b'])
    })

    it('sorts by code unit', async () => {
      const storage = await open()
      const sorted = ['k!', 'k/', 'k0', 'k1', 'k10', 'k2', 'kA', 'kZ', 'k_', 'ka', 'kz', 'k~']
      for (const key of sorted.toReversed()) await storage.write([put(key, 1)], durable)
      expect(await storage.list('k')).toEqual(sorted)
    })

    it('distinguishes all ASCII characters, control characters included', async () => {
      const storage = await open()
      const keys = Array.from({ length: 128 }, (_, code) => `c${String.fromCharCode(code)}`)
      await storage.write(
        keys.map((key, code) => put(key, code)),
        durable,
      )
      expect(await storage.list('c')).toEqual(keys)
      expect(await storage.list('c\u007f')).toEqual(['c\u007f'])
      expect(await storage.read('c\u0000')).toEqual(bytes(0))
    })

    it('accepts keys of 200 characters', async () => {
      const storage = await open()
      const stem = 'x'.repeat(199)
      await storage.write([put(`${stem}a`, 1), put(`${stem}b`, 2)], durable)
      expect(await storage.list(stem)).toEqual([`${stem}a`, `${stem}b`])
      expect(await storage.read(`${stem}b`)).toEqual(bytes(2))
    })
  })
}

function registerClosing(open: Open): void {
  describe('closing', () => {
    it('may be closed twice, also at the same time', async () => {
      const storage = await open()
      await Promise.all([storage.close(), storage.close()])
      await storage.close()
    })

    it('lets writes under way finish', async () => {
      const storage = await open()
      const writes = Array.from({ length: 20 }, (_, n) => storage.write([put(`w${n}`, n)], durable))
      const closed = storage.close()
      await Promise.all(writes)
      await closed
    })

    it('rejects every use after closing with STORAGE_CLOSED', async () => {
      const storage = await open()
      await storage.close()
      const refused = { name: 'GridError', code: 'STORAGE_CLOSED' }
      await expect(storage.read('a')).rejects.toMatchObject(refused)
      await expect(storage.write([put('a', 1)], durable)).rejects.toMatchObject(refused)
      await expect(storage.write([put('a', 1)], lazy)).rejects.toMatchObject(refused)
      await expect(storage.list('')).rejects.toMatchObject(refused)
    })
  })
}

function registerReopening(open: Open, reopen: (storage: Storage) => Promise<Storage>): void {
  describe('opening again', () => {
    it('says that it is persistent', async () => {
      expect((await open()).persistent).toBe(true)
    })

    it('finds everything that was written, and nothing that was deleted', async () => {
      const storage = await open()
      await storage.write([put('a', 1), put('b', 2), put('gone', 3)], durable)
      await storage.write([put('b', 4), remove('gone'), put('empty')], lazy)
      const again = await reopen(storage)
      expect(await again.list('')).toEqual(['a', 'b', 'empty'])
      expect(await again.read('a')).toEqual(bytes(1))
      expect(await again.read('b')).toEqual(bytes(4))
      expect(await again.read('empty')).toEqual(bytes())
      expect(await again.read('gone')).toBeUndefined()
    })

    it('finds writes that were under way when it was closed', async () => {
      const storage = await open()
      const writes = Array.from({ length: 50 }, (_, n) => storage.write([put(`w${n}`, n)], n % 2 ? durable : lazy))
      const [again] = await Promise.all([reopen(storage), ...writes])
      expect((await again.list('w')).length).toBe(50)
    })

    it('reopens several times', async () => {
      let storage = await open()
      for (let n = 0; n < 3; n++) {
        await storage.write([put(`round${n}`, n)], durable)
        storage = await reopen(storage)
      }
      expect(await storage.list('')).toEqual(['round0', 'round1', 'round2'])
    })
  })
}

function bytes(...values: number[]): Uint8Array {
  return new Uint8Array(values)
}

function put(key: string, ...values: number[]): StorageOperation {
  return { type: 'put', key, bytes: bytes(...values) }
}

function remove(key: string): StorageOperation {
  return { type: 'delete', key }
}

/** Matchers print a difference element by element, which takes minutes for a megabyte. */
function same(left: Uint8Array | undefined, right: Uint8Array): boolean {
  return left?.length === right.length && left.every((value, i) => value === right[i])
}
