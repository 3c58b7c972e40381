import { expect, it, onTestFinished } from 'vitest'
import { LoopDelay } from './loop-delay.ts'

it('an event loop that stood still shows', async () => {
  const delay = new LoopDelay()
  onTestFinished(() => delay.stop())
  delay.start()
  delay.start()
  const endMs = performance.now() + 400
  while (performance.now() < endMs);
  await new Promise((resolve) => setTimeout(resolve, 300))
  const { count, sum } = delay.histogram.snapshot()
  expect(count).toBeGreaterThan(0)
  expect(sum).toBeGreaterThan(0.25)
})

it('nothing is measured before it starts and after it stops', async () => {
  const delay = new LoopDelay()
  await new Promise((resolve) => setTimeout(resolve, 150))
  delay.start()
  delay.stop()
  await new Promise((resolve) => setTimeout(resolve, 150))
  expect(delay.histogram.snapshot().count).toBe(0)
})
