import { describe, expect, it } from 'vitest'
import { adviseOnSecrets, secretsOf } from './secrets.ts'

describe('the option secret', () => {
  it('is left out, one text, or the new and the former one', () => {
    expect(secretsOf(undefined)).toEqual([])
    expect(secretsOf('one')).toEqual(['one'])
    expect(secretsOf(['new', 'former'])).toEqual(['new', 'former'])
  })

  it('is never taken for left out when it is empty or no text', () => {
    const wrong = [
      '',
      ' ',
      '\n\t\u00a0',
      ['one', ' '],
      null,
      7,
      [],
      ['one', ''],
      ['one', 'one'],
      ['one', 'two', 'three'],
      'x'.repeat(1025),
      `${'x'.repeat(40)}\ud800`, // UTF-8 would make one secret of all that end in half a character
      new Uint8Array(32),
    ]
    for (const secret of wrong) {
      expect(() => secretsOf(secret), String(secret)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }))
    }
  })

  it('that is weak or has white space around it is said once, and a good one is not', () => {
    const said: string[] = []
    const ignore = (): void => undefined
    const logger = { debug: ignore, info: ignore, error: ignore, warn: (line: string) => void said.push(line) }
    adviseOnSecrets(['hush'], logger)
    expect(said.splice(0)).toEqual([expect.stringContaining('4 characters can be guessed')])
    adviseOnSecrets(['q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA'], logger)
    expect(said).toEqual([])
    adviseOnSecrets(['q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA\n'], logger)
    expect(said).toEqual([expect.stringContaining('white space')])
  })
})
