import { delay } from './ending.ts'

/** The wait before code that could not be loaded is requested again. */
const LOAD_AGAIN_MS = 5000

export interface Loading<T> {
  /** What the code is for, to be logged. */
  readonly what: string
  readonly load: () => Promise<T>
  readonly isStopped: () => boolean
  readonly log: (line: string) => void
}

/**
 * Code that a tab loads beside its work. A page may be offline for a while, so what fails is requested again. Undefined once the peer
 * has stopped.
 */
export async function loadedCode<T>({ what, load, isStopped, log }: Loading<T>): Promise<T | undefined> {
  for (let failures = 0; !isStopped(); failures++) {
    try {
      return await load()
    } catch (error) {
      if (failures === 0) log(`the code for ${what} could not be loaded and is requested again: ${String(error)}`)
      await delay(LOAD_AGAIN_MS)
      const elsewhere = await loadedElsewhere<T>(error, failures)
      if (elsewhere !== undefined) return elsewhere
    }
  }
  return undefined
}

/**
 * Many browsers do not request a module again that could not be fetched once, so it is imported under another address. The error
 * names the one that failed. No module runs twice by that: this one has not run, and those that it imports keep their addresses.
 */
async function loadedElsewhere<T>(error: unknown, failures: number): Promise<T | undefined> {
  const [address] = /\b[a-z][\w+.-]*:\/\/[^\s"']+/i.exec(String(error)) ?? []
  if (address === undefined) return undefined
  const url = new URL(address)
  url.searchParams.set('again', `${failures + 1}`)
  try {
    return (await import(/* @vite-ignore */ url.href)) as T
  } catch {
    return undefined
  }
}
