import { readFile, readdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
/** A longer sentence has to be read twice. */
const WORDS_MAX = 40

const names = (await readdir(`${root}docs`)).filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`)
const pages = [...names, 'README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md']

/** The sentences of a page, without its code, headings and tables. A colon or a semicolon ends one, too. */
function sentencesOf(text: string): string[] {
  const prose = text.replaceAll(/^ *```[\s\S]*?^ *```$/gm, '')
  const paragraphs = prose.split(/\n\s*\n|\n(?=\s*[-|#]|\s*\d+\. )/).filter((each) => !/^\s*[|#<]/.test(each))
  return paragraphs.flatMap((each) => each.replaceAll(/\s+/g, ' ').split(/(?<=[.!?:;][)*]*) /))
}

describe('a sentence can be read once', () => {
  it('sentences are found, and their words counted', () => {
    expect(sentencesOf('# Title\n\nOne two. Three:\n- four\n\n```ts\nfive()\n```\n| six |')).toEqual([
      'One two.',
      'Three:',
      '- four',
    ])
  })

  it.each(pages)('%s', async (page) => {
    const sentences = sentencesOf(await readFile(root + page, 'utf8'))
    expect(sentences.filter((sentence) => sentence.split(' ').length > WORDS_MAX)).toEqual([])
  })
})
