import { expect } from 'vitest'

/** What several processes come to, sooner or later. */
export function soon<T>(read: () => T): ReturnType<typeof expect.poll<T>> {
  return expect.poll(read)
}
