import { describe, expect, it } from 'vitest'
import { GridError } from './errors.ts'
import { checkKnown } from './known-options.ts'

interface Options {
  readonly directory?: string
  readonly secret?: string
  readonly mdns?: boolean
  readonly ttlMs?: number
}

const known = { directory: true, secret: true, mdns: true, ttlMs: true } as const
const complaint = (options: unknown): string => {
  try {
    checkKnown<Options>(options as Options, known)
    return ''
  } catch (error) {
    if (error instanceof GridError && error.code === 'INVALID_OPTION') return error.message
    throw error
  }
}

describe('the options of a method', () => {
  it('are left out, or an object with options that there are', () => {
    expect(
      [undefined, {}, { secret: 'x' }, { directory: 'd', ttlMs: 1 }, Object.create({ mdns: true })].map(complaint),
    ).toEqual(['', '', '', '', ''])
    for (const wrong of [null, 5, 'fields', true, () => 1]) expect(complaint(wrong)).toContain('options are an object')
  })

  it('are refused where one is misspelt, with the one that may be meant', () => {
    const misspelt = {
      dirctory: 'directory',
      Directory: 'directory',
      driectory: 'directory',
      directorys: 'directory',
      secrets: 'secret',
      secert: 'secret',
      mDNS: 'mdns',
      ttl: 'ttlMs',
      ttlms: 'ttlMs',
      dir: 'directory',
      dataDirectory: 'directory',
      directoryPath: 'directory',
    }
    for (const [wrong, right] of Object.entries(misspelt)) {
      expect(complaint({ [wrong]: 1 })).toBe(`there is no option "${wrong}": did you mean '${right}'?`)
    }
    expect(complaint({ secret: 'x', dirctory: undefined })).toContain("did you mean 'directory'?")
  })

  it('are listed where none is near, and no name from outside gets through', () => {
    const all = 'directory, secret, mdns, ttlMs'
    for (const strange of ['password', 'x', '', 'toString', 'constructor', 'hasOwnProperty']) {
      expect(complaint({ [strange]: 1 })).toBe(`there is no option "${strange}": there are ${all}`)
    }
    expect(complaint(JSON.parse('{"__proto__":1}'))).toContain('__proto__')
    expect(complaint({ '\u001b[2J\n': 1 })).toContain(String.raw`\u001b[2J\n`)
    expect(complaint({ ['x'.repeat(10_000)]: 1 }).length).toBeLessThan(200)
  })
})
