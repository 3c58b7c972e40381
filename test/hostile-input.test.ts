import { readFile, readdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))

/** The names of all tests, and of the rows in test tables. */
async function testTexts(): Promise<string> {
  const files = await readdir(root, { recursive: true })
  const tests = files.filter((file) => {
    return (
      /^(packages|test)\//.test(file) && /(\.test|harmful-messages)\.ts$/.test(file) && !file.includes('node_modules')
    )
  })
  const texts = tests
    .filter((file) => !file.endsWith('hostile-input.test.ts'))
    .map((file) => readFile(root + file, 'utf8'))
  return (await Promise.all(texts)).join('\n').replaceAll("\\'", "'")
}

test('docs/hostile-input.md names only tests that exist, and every row names one', async () => {
  const page = await readFile(`${root}docs/hostile-input.md`, 'utf8')
  const rows = page.slice(0, page.indexOf('## Not yet')).match(/^\| (?!Input|---).*\|$/gm) ?? []
  const texts = await testTexts()
  const missing = rows.flatMap((row) => {
    const shownBy = row.split(' | ').at(-1)!
    const names = [...shownBy.matchAll(/`([^`]+)`/g)].map((match) => match[1]!)
    if (names.length === 0 && !shownBy.startsWith('the same test')) return [`no test: ${row}`]
    return names.filter((name) => !texts.includes(name))
  })
  expect(missing).toEqual([])
  expect(rows.length).toBeGreaterThan(40)
})
