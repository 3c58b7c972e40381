import { testBrowser } from '../browser/test-browser.ts'
import { beginRun } from './test-run.ts'

/** Before the first test: fails without a browser. After the last one: no started process may be left. */
export async function setup(): Promise<() => Promise<void>> {
  try {
    await testBrowser()
  } catch (error) {
    // The message says what to install; the stack does not matter.
    console.error((error as Error).message)
    process.exit(1)
  }
  return beginRun()
}
