import { testBrowser } from '../browser/test-browser.ts'
import { beginRun } from './test-run.ts'

/** Before any test: without a browser none begins. After the last one: nothing that they started is left. */
export async function setup(): Promise<() => Promise<void>> {
  try {
    await testBrowser()
  } catch (error) {
    // The sentence that says what to install; where it was thrown is of no interest.
    console.error((error as Error).message)
    process.exit(1)
  }
  return beginRun()
}
