import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { OPEN_GRID_OPTIONS } from '../packages/grid/src/open-grid-options.ts'

it('docs/options.md lists every option of openGrid, and no other', async () => {
  const page = await readFile(fileURLToPath(new URL('../docs/options.md', import.meta.url)), 'utf8')
  const listed = [...page.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name!)
  expect(new Set(listed)).toEqual(new Set(Object.keys(OPEN_GRID_OPTIONS)))
  expect(listed).toHaveLength(new Set(listed).size)
})
