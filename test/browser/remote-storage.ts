import type { Page } from 'playwright-core'
import { GridError } from '@gossipgrid/core'
import type { GridErrorCode, Storage, StorageOperation } from '@gossipgrid/core'
import type { StoragePage } from './pages/storage-page.ts'

/** Passes calls to the storage that a page has opened, so that the conformance suite can test it. */
export class RemoteStorage implements Storage {
  readonly persistent = true
  readonly database: string
  readonly #page: Page
  readonly #id: number

  static async open(page: Page, database: string): Promise<RemoteStorage> {
    return new RemoteStorage(page, database, await call(page, 'openStorage', database))
  }

  private constructor(page: Page, database: string, id: number) {
    this.#page = page
    this.database = database
    this.#id = id
  }

  async read(key: string): Promise<Uint8Array | undefined> {
    const base64 = await call(this.#page, 'read', this.#id, key)
    return base64 === undefined ? undefined : new Uint8Array(Buffer.from(base64, 'base64'))
  }

  async write(batch: readonly StorageOperation[], _options: { readonly durable: boolean }): Promise<void> {
    const operations = batch.map(
      (operation) =>
        [
          operation.key,
          operation.type === 'put' ? Buffer.from(operation.bytes).toString('base64') : undefined,
        ] as const,
    )
    await call(this.#page, 'write', this.#id, operations)
  }

  list(prefix: string): Promise<string[]> {
    return call(this.#page, 'list', this.#id, prefix)
  }

  close(): Promise<void> {
    return call(this.#page, 'closeStorage', this.#id)
  }
}

async function call<Name extends keyof StoragePage>(
  page: Page,
  name: Name,
  ...values: Parameters<StoragePage[Name]>
): Promise<Awaited<ReturnType<StoragePage[Name]>>> {
  try {
    return (await page.evaluate(
      ([method, parameters]) =>
        (globalThis as unknown as Record<string, (...given: unknown[]) => unknown>)[method]!(...parameters),
      [name, values] as const,
    )) as Awaited<ReturnType<StoragePage[Name]>>
  } catch (error) {
    const match = /<([A-Z_]+)> (.*)/.exec(String(error))
    throw match === null ? error : new GridError(match[1] as GridErrorCode, match[2]!)
  }
}
