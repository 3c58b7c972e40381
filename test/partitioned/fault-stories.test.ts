import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const root = fileURLToPath(new URL('../../', import.meta.url))

it('each test that the page of partitioned maps names is there', async () => {
  const page = await readFile(`${root}docs/partitioning.md`, 'utf8')
  const named = [...page.matchAll(/^\|[^|]*\|[^|]*\| (.*) \(`(\S+\.test\.ts)`\) \|$/gm)]
  expect(named.length).toBeGreaterThan(20)
  const missing: string[] = []
  for (const [, name = '', file = ''] of named) {
    const source = await readFile(`${root}${file}`, 'utf8')
    if (!source.includes(`'${name}'`)) missing.push(`${file}: ${name}`)
  }
  expect(missing).toEqual([])
})
