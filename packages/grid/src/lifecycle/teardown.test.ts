import { describe, expect, it } from 'vitest'
import { Teardown } from './teardown.ts'

describe('what was opened', () => {
  it('is closed in the reverse order, once, however often that is asked for', async () => {
    const closed: string[] = []
    const teardown = new Teardown()
    for (const what of ['store', 'network', 'peer'])
      teardown.add({ what, limitMs: 1000, close: () => closed.push(what) })
    await Promise.all([teardown.close(), teardown.close()])
    await teardown.close()
    expect(closed).toEqual(['peer', 'network', 'store'])
  })

  it('is closed to the end though a step throws, rejects or hangs, and the error names all of them', async () => {
    const closed: string[] = []
    const teardown = new Teardown()
    teardown.add({ what: 'the store', limitMs: 1000, close: () => closed.push('store') })
    teardown.add({ what: 'the hanging one', limitMs: 5, close: () => new Promise(() => undefined) })
    teardown.add({ what: 'the rejecting one', limitMs: 1000, close: () => Promise.reject(new Error('no disk')) })
    const thrown = new Error('no net')
    const throwing = (): never => {
      throw thrown
    }
    teardown.add({ what: 'the throwing one', limitMs: 1000, close: throwing })
    await expect(teardown.close()).rejects.toMatchObject({
      code: 'CLOSE_INCOMPLETE',
      message: 'no net; no disk; the hanging one did not close within 5 ms',
      cause: { errors: [thrown, expect.anything(), expect.anything()] },
    })
    expect(closed).toEqual(['store'])
  })

  it('is given as many turns on a busy machine as on an idle one', async () => {
    const teardown = new Teardown()
    const inTenTurns = async (): Promise<void> => {
      for (let turn = 0; turn < 10; turn++) {
        // Other work of the process.
        for (const endMs = performance.now() + 120; performance.now() < endMs;);
        await new Promise((resolve) => setTimeout(resolve, 0))
      }
    }
    teardown.add({ what: 'the store', limitMs: 1000, close: inTenTurns })
    await teardown.close()
  })

  it('tells of one failure as it is', async () => {
    const teardown = new Teardown()
    const failure = new Error('only this')
    teardown.add({ what: 'the store', limitMs: 1000, close: () => Promise.reject(failure) })
    await expect(teardown.close()).rejects.toBe(failure)
  })
})
