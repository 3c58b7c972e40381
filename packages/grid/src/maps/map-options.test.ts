import { afterEach, describe, expect, it } from 'vitest'
import type { MapOptions } from './map-options.ts'
import { TestGrids } from '../rig/test-grids.ts'
import { schemaOf } from '../rig/test-schemas.ts'

let grids = new TestGrids()

afterEach(async () => {
  await grids.close()
  grids = new TestGrids()
})

const schema = schemaOf((value) => ({ value }))

describe('what a map was opened as', () => {
  it('is the same map for the same options, for a part of them, and for none', async () => {
    const grid = await grids.open()
    const options = { merge: 'fields', ttlMs: 1000, schema } as const
    const map = grid.map('m', options)
    const again: MapOptions<unknown>[] = [options, { ...options }, { ttlMs: 1000 }, { schema }, { merge: 'fields' }, {}]
    for (const same of again) expect(grid.map('m', same)).toBe(map)
    expect(grid.map('m')).toBe(map)
    expect(grid.map('plain', { merge: 'value' })).toBe(grid.map('plain'))
  })

  it('clashes with other options, and both are named', async () => {
    const grid = await grids.open()
    grid.map('m', { ttlMs: 1000 })
    const clashes: [MapOptions<unknown>, RegExp][] = [
      [
        { ttlMs: 2000 },
        /^'m' is open here with ttlMs: 1000, and cannot be opened with ttlMs: 2000 as well: pass the same/,
      ],
      [{ merge: 'fields' }, /with merge: 'value', and cannot be opened with merge: 'fields'/],
      [{ schema }, /with no schema, and cannot be opened with one/],
    ]
    for (const [options, message] of clashes) {
      expect(() => grid.map('m', options)).toThrow(
        expect.objectContaining({ code: 'COLLECTION_MISMATCH', message: expect.stringMatching(message) as unknown }),
      )
    }
    grid.map('plain')
    expect(() => grid.map('plain', { ttlMs: 1 })).toThrow(/with no ttlMs/)
    grid.map('checked', { schema })
    expect(() => grid.map('checked', { schema: schemaOf((value) => ({ value })) })).toThrow(
      /with a schema, and cannot be opened with another one/,
    )
  })

  it('cannot be something that no map is', async () => {
    const grid = await grids.open()
    for (const merge of ['field', '', 1, null] as unknown as 'fields'[]) {
      expect(() => grid.map('m', { merge })).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }))
    }
  })

  it('is what it is on every peer', async () => {
    const first = await grids.open()
    const second = await grids.open()
    await second.ready()
    await first.map('m', { merge: 'fields' }).set('k', { a: 1 })
    await expect
      .poll(() => second.status().collections.map(({ name, kind }) => `${kind} ${name}`))
      .toEqual(['fields m'])
    expect(() => second.map('m')).toThrow(expect.objectContaining({ code: 'COLLECTION_MISMATCH' }))
    expect(second.map('m', { merge: 'fields' }).peek('k')).toEqual({ a: 1 })
  })
})
