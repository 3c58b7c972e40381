import { readFile } from 'node:fs/promises'
import { SourceMap } from 'node:module'
import type { SourceMapping } from 'node:module'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { serverBundle } from '../../packing/server-bundle.ts'

const CORE = fileURLToPath(new URL('../../packages/core/', import.meta.url))
const MESSAGE = 'text is not UTF-8'

it('published scripts have no comments and one byte a character, and their source maps lead to the sources', async () => {
  const { files } = await serverBundle('@gossipgrid/core', CORE, ['./src/index.ts'])
  const scripts = [...files].filter(([path]) => path.endsWith('.js'))
  expect(scripts.filter(([, text]) => /[^\p{ASCII}]|\/\*\*/u.test(text))).toEqual([])

  const [path, text] = scripts.find(([, code]) => code.includes(MESSAGE))!
  const lines = text.split('\n')
  const line = lines.findIndex((one) => one.includes(MESSAGE))
  const map = new SourceMap(JSON.parse(files.get(`${path}.map`)!))
  const found = map.findEntry(line, lines[line]!.indexOf(MESSAGE)) as SourceMapping
  const source = await readFile(new URL(found.originalSource, `file://${CORE}dist/`), 'utf8')
  expect(source.split('\n')[found.originalLine]).toContain(MESSAGE)
})
