import { storageConformance } from '@gossipgrid/testing/storage-conformance'
import { expect, it } from 'vitest'
import { memoryStorage } from './memory.ts'

storageConformance('memoryStorage', { open: async () => memoryStorage() })

it('refuses keys that another adapter would sort or store differently', async () => {
  const storage = memoryStorage()
  await expect(storage.read('schlüssel')).rejects.toThrow(TypeError)
  await expect(storage.list('\ud800')).rejects.toThrow(TypeError)
  const batch = [
    { type: 'put', key: 'good', bytes: new Uint8Array() },
    { type: 'put', key: 'x'.repeat(201), bytes: new Uint8Array() },
  ] as const
  await expect(storage.write(batch, { durable: true })).rejects.toThrow('at most 200 characters')
  expect(await storage.list('')).toEqual([])
})
