import { ROOT_CONTEXT, context, trace } from '@opentelemetry/api'
import type { Context, ContextManager, Tracer } from '@opentelemetry/api'
import {
  AlwaysOffSampler,
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base'
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base'
import { afterEach, describe, expect, it, onTestFinished } from 'vitest'
import { TestGrids, diskInMemory, until } from '../rig/test-grids.ts'
import type { GridTracer } from './safe-tracer.ts'

let grids = new TestGrids()

afterEach(async () => {
  await grids.close()
  grids = new TestGrids()
})

/** A tracer of the real SDK. That it may be passed as ours is checked by its type. */
function tracing(sampled = true): { tracer: GridTracer; spans: () => ReadableSpan[] } {
  const exporter = new InMemorySpanExporter()
  const provider = new BasicTracerProvider({
    spanProcessors: [new SimpleSpanProcessor(exporter)],
    ...(sampled ? {} : { sampler: new AlwaysOffSampler() }),
  })
  return { tracer: provider.getTracer('test'), spans: () => exporter.getFinishedSpans() }
}

function eventsOf(span: ReadableSpan | undefined): string[] {
  return span?.events.map(({ name }) => name) ?? []
}

describe('spans of writes', () => {
  it('last from the call until the promise settles, and name sizes instead of keys and values', async () => {
    const { tracer, spans } = tracing()
    const grid = await grids.open({ storage: diskInMemory(), tracer })
    const users = grid.map<string>('users')
    await users.set('secret key', 'secret value')
    await users.delete('secret key')
    const [set, deleted, ...others] = spans()
    expect(others).toEqual([])
    expect(set).toMatchObject({
      name: 'gossipgrid.set',
      attributes: {
        'gossipgrid.grid': 'test',
        'gossipgrid.collection': 'users',
        'gossipgrid.key_characters': 10,
        'gossipgrid.value_bytes': 13,
        'gossipgrid.copies_asked': 1,
        'gossipgrid.copies_reached': 1,
      },
      status: { code: 0 },
    })
    expect(eventsOf(set)).toEqual(['applied', 'durable'])
    expect(deleted).toMatchObject({ name: 'gossipgrid.delete', attributes: { 'gossipgrid.value_bytes': 0 } })
    expect(JSON.stringify([set!.attributes, set!.events])).not.toContain('secret')
  })

  it('a second span, linked to the first, ends when every durable neighbour has the write', async () => {
    const { tracer, spans } = tracing()
    const writer = await grids.open({ storage: diskInMemory(), tracer })
    const others = [await grids.open({ storage: diskInMemory() }), await grids.open({ storage: diskInMemory() })]
    // It keeps nothing, so it cannot confirm anything.
    await grids.open()
    const durable = (): number =>
      writer.members.filter((member) => member.connected && member.role === 'storage').length
    await until(() => durable() === 2 && writer.members.length === 4, 'all are there')
    await writer.map('users').set('k', 1)
    await until(() => spans().length === 2, 'both spans have ended')
    const [set, replicate] = spans()
    expect(replicate).toMatchObject({
      name: 'gossipgrid.replicate',
      attributes: { 'gossipgrid.neighbours_asked': 2, 'gossipgrid.neighbours_confirmed': 2 },
    })
    expect(eventsOf(replicate)).toEqual(['durable', 'confirmed', 'confirmed'])
    expect(replicate!.links[0]!.context.spanId).toBe(set!.spanContext().spanId)
    expect(others.map((grid) => grid.map('users').peek('k'))).toEqual([1, 1])
  })

  it('a write that fails says with which code', async () => {
    const { tracer, spans } = tracing()
    const disk = diskInMemory()
    const grid = await grids.open({ storage: disk, tracer })
    disk.failure = new Error('no')
    await expect(grid.map('users').set('k', 1)).rejects.toMatchObject({ code: 'STORAGE_FAILED' })
    disk.failure = undefined
    expect(spans()[0]).toMatchObject({ attributes: { 'gossipgrid.error_code': 'STORAGE_FAILED' }, status: { code: 2 } })
  })

  it('copies that are asked for and not there are an error of the span', async () => {
    const { tracer, spans } = tracing()
    const grid = await grids.open({ storage: diskInMemory(), tracer })
    const write = grid.map('users').set('k', 1, { copies: 2, timeoutMs: 20 })
    await expect(write).rejects.toMatchObject({ code: 'COPIES_TIMEOUT' })
    expect(spans()[0]!.attributes).toMatchObject({
      'gossipgrid.copies_asked': 2,
      'gossipgrid.error_code': 'COPIES_TIMEOUT',
    })
    expect(eventsOf(spans()[0])).toEqual(['applied', 'durable'])
    expect(grid.metrics().writes.copiesTimeouts).toBe(1)
  })

  it('closing ends what still waits for neighbours', async () => {
    const { tracer, spans } = tracing()
    const writer = await grids.open({ storage: diskInMemory(), tracer })
    const other = await grids.open({ storage: diskInMemory() })
    await until(() => writer.members.some((member) => !member.self && member.connected), 'they meet')
    grids.split([0], [1])
    await until(() => writer.members.every((member) => member.self || !member.connected), 'they part')
    grids.heal()
    await until(() => writer.members.some((member) => !member.self && member.connected), 'they meet again')
    const closing = other.close()
    await writer.map('users').set('k', 1)
    await closing
    await writer.close()
    expect(spans().map(({ name }) => name)).toContain('gossipgrid.set')
    expect(spans().every(({ ended }) => ended)).toBe(true)
  })

  it('a write that is not sampled asks no peer for a confirmation', async () => {
    const { tracer, spans } = tracing(false)
    const writer = await grids.open({ storage: diskInMemory(), tracer })
    const other = await grids.open({ storage: diskInMemory() })
    await until(() => writer.members.some((member) => member.connected), 'they meet')
    await other.map('users').set('k', 0)
    await until(() => writer.map('users').peek('k') === 0, 'the first write is there')
    const before = writer.metrics().streams.sentMessages
    for (let i = 0; i < 20; i++) await writer.map('users').set('k', i)
    await until(() => other.map('users').peek('k') === 19, 'the last write is there')
    expect(writer.metrics().streams.sentMessages - before).toBeLessThan(20)
    expect(spans()).toEqual([])
  })
})

it('both spans belong to the one that is active at the call', async () => {
  let active: Context = ROOT_CONTEXT
  const contexts: ContextManager = {
    active: () => active,
    bind: (_, target) => target,
    enable: () => contexts,
    disable: () => contexts,
    with: (inner, call, self, ...args) => {
      const outer = active
      active = inner
      try {
        return call.apply(self as never, args)
      } finally {
        active = outer
      }
    },
  }
  context.setGlobalContextManager(contexts)
  onTestFinished(() => context.disable())
  const { tracer, spans } = tracing()
  const writer = await grids.open({ storage: diskInMemory(), tracer })
  await grids.open({ storage: diskInMemory() })
  await until(() => writer.members.some((member) => !member.self && member.connected), 'they meet')
  const request = (tracer as Tracer).startSpan('request')
  await context.with(trace.setSpan(active, request), () => writer.map('users').set('k', 1))
  await until(() => spans().length === 2, 'both spans have ended')
  const { spanId } = request.spanContext()
  expect(spans().map(({ parentSpanContext }) => parentSpanContext?.spanId)).toEqual([spanId, spanId])
})

it('any tracer of the OpenTelemetry API fits', () => {
  const tracer: GridTracer = trace.getTracer('gossipgrid')
  expect(tracer.startSpan('x').isRecording()).toBe(false)
})
