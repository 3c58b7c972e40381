import { GridError } from '@gossipgrid/core'
import type { Storage } from '@gossipgrid/core'
import { indexedDbStorage } from '@gossipgrid/storage/indexeddb'

/** Performs the calls of `RemoteStorage`. Bytes are passed as text in base64. */

type RemoteOperation = readonly [key: string, base64: string | undefined]

export interface StoragePage {
  openStorage(database: string): Promise<number>
  read(id: number, key: string): Promise<string | undefined>
  write(id: number, batch: readonly RemoteOperation[]): Promise<void>
  list(id: number, prefix: string): Promise<string[]>
  closeStorage(id: number): Promise<void>
}

const storages: Storage[] = []

const page: StoragePage = {
  openStorage: async (database) => storages.push(await withCode(indexedDbStorage({ database }))) - 1,
  read: async (id, key) => {
    const bytes = await withCode(storages[id]!.read(key))
    return bytes === undefined ? undefined : btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''))
  },
  write: (id, batch) =>
    withCode(
      storages[id]!.write(
        batch.map(([key, base64]) =>
          base64 === undefined ? { type: 'delete', key } : { type: 'put', key, bytes: bytesOf(base64) },
        ),
        { durable: true },
      ),
    ),
  list: (id, prefix) => withCode(storages[id]!.list(prefix)),
  closeStorage: (id) => withCode(storages[id]!.close()),
}
Object.assign(globalThis, page)

function bytesOf(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))
}

/** Only an error's message reaches the test, so the code is put in front of it. */
async function withCode<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw error instanceof GridError ? new Error(`<${error.code}> ${error.message}`) : error
  }
}
