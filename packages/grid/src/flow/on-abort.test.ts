import { expect, it, vi } from 'vitest'
import { onAbort } from './on-abort.ts'

it('calls everything that waits for a signal once, by one listener', () => {
  const stop = new AbortController()
  const adding = vi.spyOn(stop.signal, 'addEventListener')
  const calls: number[] = []
  for (let i = 0; i < 100; i++) onAbort(stop.signal, () => calls.push(i))
  expect(adding).toHaveBeenCalledTimes(1)
  stop.abort()
  stop.abort()
  expect(calls).toEqual(Array.from({ length: 100 }, (_, i) => i))
})

it('calls nothing that has ended, keeps no listener for nothing, and begins again after that', () => {
  const stop = new AbortController()
  const removing = vi.spyOn(stop.signal, 'removeEventListener')
  const call = vi.fn<() => void>()
  const ends = [onAbort(stop.signal, call), onAbort(stop.signal, call)]
  ends[0]!()
  expect(removing).not.toHaveBeenCalled()
  ends[1]!()
  ends[1]!()
  expect(removing).toHaveBeenCalledTimes(1)
  onAbort(stop.signal, call)
  stop.abort()
  expect(call).toHaveBeenCalledTimes(1)
  for (const end of ends) end()
})

it('passes over what ends while the others are called', () => {
  const stop = new AbortController()
  const call = vi.fn<() => void>()
  onAbort(stop.signal, () => end())
  const end = onAbort(stop.signal, call)
  stop.abort()
  expect(call).not.toHaveBeenCalled()
})
