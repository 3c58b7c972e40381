import { describe, expect, it } from 'vitest'
import { Emitter } from './emitter.ts'

interface Events {
  tick: number
  other: string
}

const EVENTS = { tick: true, other: true } as const

function collecting(): { emitter: Emitter<Events>; errors: [string, unknown][] } {
  const errors: [string, unknown][] = []
  const ignore = (): void => undefined
  const error = (message: string, fields?: Readonly<Record<string, unknown>>): void => {
    errors.push([message, fields?.['error']])
  }
  return { emitter: new Emitter<Events>({ debug: ignore, info: ignore, warn: ignore, error }, EVENTS), errors }
}

/** The name of the method that makes a promise of an object. */
const THEN = String('then')

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0))

describe('a function that is registered twice', () => {
  it('is called twice, and each off() ends one of the two', () => {
    const { emitter } = collecting()
    const seen: number[] = []
    const listener = (tick: number): void => void seen.push(tick)
    const [first, second] = [emitter.on('tick', listener), emitter.on('tick', listener)]
    emitter.emit('tick', 1)
    first()
    first()
    emitter.emit('tick', 2)
    expect(emitter.has('tick')).toBe(true)
    second()
    emitter.emit('tick', 3)
    expect(seen).toEqual([1, 1, 2])
    expect(emitter.has('tick')).toBe(false)
  })

  it('ends once with a signal and once without, for each event by itself', () => {
    const { emitter } = collecting()
    const seen: unknown[] = []
    const listener = (event: unknown): void => void seen.push(event)
    const stop = new AbortController()
    emitter.on('tick', listener, { signal: stop.signal })
    emitter.on('tick', listener)
    emitter.on('other', listener, { signal: AbortSignal.abort() })
    const off = emitter.on('other', listener)
    stop.abort()
    emitter.emit('tick', 1)
    emitter.emit('other', 'a')
    off()
    emitter.emit('other', 'b')
    expect(seen).toEqual([1, 'a'])
  })
})

describe('a listener that fails', () => {
  it('is logged once for each kind of failure, thrown or rejected, and other listeners are still called', async () => {
    const { emitter, errors } = collecting()
    const odd = Object.create(null) as object
    const failures = [new Error('mine'), undefined, odd]
    const seen: number[] = []
    for (const failure of failures) {
      emitter.on('tick', () => {
        throw failure as Error
      })
      emitter.on('tick', () => Promise.reject(failure as Error))
      emitter.on('tick', async () => {
        await turn()
        throw failure as Error
      })
      emitter.on('tick', () => ({ [THEN]: (_: unknown, fail: (error: unknown) => void) => fail(failure) }))
      emitter.on('tick', () => {
        throw failure as Error
      })
    }
    emitter.on('tick', (tick) => seen.push(tick))
    emitter.emit('tick', 1)
    emitter.emit('tick', 2)
    await turn()
    await turn()
    expect(seen).toEqual([1, 2])
    const texts = ['Error: mine', 'undefined', 'an error that cannot be shown']
    const lines = texts.flatMap((text, i): [string, unknown][] => {
      return [
        [`a listener of 'tick' threw: ${text}`, failures[i]],
        [`a listener of 'tick' rejected: ${text}`, failures[i]],
      ]
    })
    expect(errors.toSorted(byMessage)).toEqual(lines.toSorted(byMessage))
  })

  it('may do so by what it returns', () => {
    const { emitter, errors } = collecting()
    emitter.on('tick', () => ({
      get [THEN](): never {
        throw new Error('a getter')
      },
    }))
    emitter.emit('tick', 1)
    expect(errors.map(([message]) => message)).toEqual([`a listener of 'tick' threw: Error: a getter`])
  })
})

it('what is no listener, and what is no signal, is refused at once', () => {
  const { emitter } = collecting()
  const invalid = expect.objectContaining({ code: 'INVALID_OPTION' })
  for (const listener of [undefined, null, 'f', {}]) {
    expect(() => emitter.on('tick', listener as unknown as () => void)).toThrow(invalid)
  }
  for (const signal of [null, {}, 'stop']) {
    expect(() => emitter.on('tick', () => undefined, { signal: signal as unknown as AbortSignal })).toThrow(invalid)
  }
  expect(emitter.has('tick')).toBe(false)
})

function byMessage([one]: [string, unknown], [other]: [string, unknown]): number {
  return one < other ? -1 : 1
}
