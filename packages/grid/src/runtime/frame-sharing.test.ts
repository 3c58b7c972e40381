import { describe, expect, it, vi } from 'vitest'
import { FrameSharing } from './frame-sharing.ts'

const sharing = async (): Promise<FrameSharing> => {
  const frames = new FrameSharing()
  await frames.ready(100, 1)
  return frames
}

/** Turns of the event loop until a frame may leave. */
async function turnsUntilReady(frames: FrameSharing, sizeBytes: number): Promise<number> {
  let isReady = false
  void frames.ready(sizeBytes, 1).then(() => (isReady = true))
  for (let turns = 0; ; turns++) {
    await new Promise((resolve) => setImmediate(resolve))
    if (isReady) return turns
  }
}

describe('a frame leaves in the next turn', () => {
  it('where nothing is being stored', async () => {
    const frames = await sharing()
    frames.storeBegins()
    frames.storeEnds()
    expect(await turnsUntilReady(frames, 100)).toBeLessThanOrEqual(1)
  })

  it('if it is large', async () => {
    const frames = await sharing()
    frames.storeBegins()
    expect(await turnsUntilReady(frames, 4096)).toBeLessThanOrEqual(1)
  })

  it('if the last one left a while ago', async () => {
    const frames = await sharing()
    frames.storeBegins()
    await new Promise((resolve) => setTimeout(resolve, 10))
    expect(await turnsUntilReady(frames, 100)).toBeLessThanOrEqual(1)
  })
})

it('a small frame waits while the next write is being stored, and not longer than a few milliseconds', async () => {
  const frames = await sharing()
  frames.storeBegins()
  const startMs = performance.now()
  await frames.ready(100, 1)
  expect(performance.now() - startMs).toBeGreaterThanOrEqual(2.9)
})

it('a small frame waits for longer where it costs more peers, but never for long', async () => {
  const frames = await sharing()
  frames.storeBegins()
  const startMs = performance.now()
  await frames.ready(100, 5)
  expect(performance.now() - startMs).toBeGreaterThanOrEqual(14.9)
  const timers = vi.spyOn(globalThis, 'setTimeout')
  await frames.ready(100, 1000)
  expect(timers).toHaveBeenCalledExactlyOnceWith(expect.any(Function), 20)
})
