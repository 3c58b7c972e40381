import { expect } from 'vitest'

/** Waits for a state that several processes reach sooner or later. */
export function soon<T>(read: () => T): ReturnType<typeof expect.poll<T>> {
  return expect.poll(read)
}
