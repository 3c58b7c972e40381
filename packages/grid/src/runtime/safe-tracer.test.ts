import { afterEach, expect, it } from 'vitest'
import { TestGrids, diskInMemory } from '../rig/test-grids.ts'
import type { GridSpan, GridTracer } from './safe-tracer.ts'

const grids = new TestGrids()
afterEach(() => grids.close())

function broken(): never {
  throw new Error('out of order')
}

const brokenSpan: GridSpan = {
  isRecording: () => true,
  spanContext: broken,
  setAttributes: broken,
  addEvent: broken,
  setStatus: broken,
  end: broken,
}

function rejected(): never {
  return Promise.reject(new Error('out of order')) as never
}

const rejectingSpan: GridSpan = {
  ...brokenSpan,
  spanContext: () => ({ traceId: '', spanId: '', traceFlags: 0 }),
  setAttributes: rejected,
  addEvent: rejected,
  setStatus: rejected,
  end: rejected,
}

it('a tracer that throws or rejects, and spans that do, are logged once and harm no write', async () => {
  const tracers: [GridTracer, string][] = [
    [{ startSpan: broken }, 'threw'],
    [{ startSpan: () => brokenSpan }, 'threw'],
    [{ startSpan: () => rejectingSpan }, 'rejected'],
  ]
  for (const [tracer, failure] of tracers) {
    const errors: string[] = []
    const ignore = (): void => undefined
    const logger = { debug: ignore, info: ignore, warn: ignore, error: (line: string) => void errors.push(line) }
    const grid = await grids.open({ storage: diskInMemory(), tracer, logger })
    const users = grid.map<number>('users')
    for (let i = 0; i < 3; i++) expect(await users.set('ada', i)).toMatchObject({ durable: true })
    expect(await users.delete('ada')).toMatchObject({ durable: true })
    expect(errors).toEqual([`the tracer ${failure}: Error: out of order`])
  }
})
