import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url))
/** Prints the address of each file that is loaded after it. */
const PRINT_LOADED = `data:text/javascript,${encodeURIComponent(`
import { registerHooks } from 'node:module'
registerHooks({ load: (url, context, load) => (console.error(url), load(url, context)) })`)}`

it('a command that runs no peer loads nothing of the grid, which takes longer than most commands', async () => {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ['--import', PRINT_LOADED, MAIN, '--help'])
  expect(stdout).toContain('Usage: gossipgrid')
  const loaded = stderr.split('\n')
  expect(loaded.filter((url) => url.endsWith('/packages/cli/src/program.ts'))).toHaveLength(1)
  expect(loaded.filter((url) => /\/packages\/(?:core|storage|network|grid)\//.test(url))).toEqual([])
})
