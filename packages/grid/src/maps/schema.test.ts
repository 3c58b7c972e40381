import { describe, expect, it } from 'vitest'
import { ValueSchema } from './schema.ts'
import type { StandardSchema } from './schema.ts'
import { schemaOf, userSchema } from '../rig/test-schemas.ts'

describe('a schema', () => {
  it('gives out the value that is to be stored', () => {
    const schema = new ValueSchema(userSchema)
    expect(schema.accepted({ name: ' Ada ' })).toEqual({ name: 'Ada', age: 18 })
  })

  it('says the first things that are wrong, and where', () => {
    const schema = new ValueSchema(userSchema)
    const refused = expect.objectContaining({
      code: 'SCHEMA',
      message: 'the value does not fit: value.name: no text; value.age: no age',
    })
    expect(() => schema.accepted({ age: -1 })).toThrow(refused)
    expect(schema.fits({ age: -1 })).toBe(false)
    expect(schema.fits({ name: 'Ada', age: 36 })).toBe(true)
  })

  it('says no more than a reader can take in', () => {
    const issue = { message: 'm'.repeat(5000), path: Array.from({ length: 100 }, () => 'p'.repeat(1000)) }
    const schema = new ValueSchema(schemaOf(() => ({ issues: Array.from({ length: 1000 }, () => issue) })))
    let message = ''
    try {
      schema.accepted(1)
    } catch (error) {
      message = (error as Error).message
    }
    expect(message).toMatch(/and 997 more$/)
    expect(message.length).toBeLessThan(6000)
  })

  it('that throws has found something wrong', () => {
    const schema = new ValueSchema(
      schemaOf(() => {
        throw new TypeError('broken')
      }),
    )
    expect(() => schema.accepted(1)).toThrow(
      expect.objectContaining({ code: 'SCHEMA', message: expect.stringMatching(/broken/) as unknown }),
    )
    expect(schema.fits(1)).toBe(false)
  })

  it('that does not accept its own values is refused with the first one', () => {
    const toNumber = schemaOf((value) => {
      return typeof value === 'string' ? { value: Number(value) } : { issues: [{ message: 'no text' }] }
    })
    expect(() => new ValueSchema(toNumber).accepted('12')).toThrow(/does not accept its own output/)
  })

  it('that is asynchronous is refused, at once or with the first value', () => {
    const always = schemaOf(async (value) => ({ value }))
    expect(() => new ValueSchema(always)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }))
    const sometimes = schemaOf((value) => {
      return value === undefined ? { issues: [] } : Promise.reject(new Error('no caller waits for it'))
    })
    const schema = new ValueSchema(sometimes)
    expect(() => schema.accepted(1)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }))
    expect(schema.fits(1)).toBe(false)
  })

  it('is of Standard Schema version 1 or none', () => {
    for (const schema of [
      {},
      null,
      7,
      { '~standard': { version: 2, validate: () => ({ value: 1 }) } },
      { '~standard': {} },
    ]) {
      expect(() => new ValueSchema(schema as StandardSchema<unknown>)).toThrow(
        expect.objectContaining({ code: 'INVALID_OPTION' }),
      )
    }
  })
})
