import { readFile, readdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Files that keep banned words, and why. */
const EXEMPT: Readonly<Record<string, string>> = {
  'test/words.test.ts': 'lists the words',
  'test/wire/version-1.ts': 'a copy of what version 1.0 reads, which is never edited',
}

/** Words that code avoids, and what it says instead. They count inside of names too: `heldRows` has the word `held`. */
const BANNED_WORDS: Readonly<Record<string, string>> = {
  anew: 'again, or re-',
  fence: 'full resync',
  fenced: 'full resync',
  fences: 'full resync',
  held: 'quarantined for rows that wait for their time; else stored, found, or a noun',
  nobody: 'a noun: no peer, no caller',
  told: 'reported, received, or recorded',
  whoever: 'a noun: a peer that ...',
}

/** Released names, which would break the programs, queries and alerts of users if they changed. */
const RELEASED =
  /\b(heldWrites|heldBytes|voidRanges|NOT_HELD|gossipgrid_(held_writes|held_bytes|void_ranges_total|replication_told_age_seconds))\b/g

const BANNED_PATTERNS: Readonly<Record<string, RegExp>> = {
  'superseded dots': /\bvoid (dot|range)s?\b|\bvoid(Dot|Range)s?\b/i,
  'dependencies of a class, XDeps': /\b(class|interface|type) \w+(Owner|Parts|Host)\b/,
}

/** Code of all packages, with their tests, and all pages. */
async function codeFiles(): Promise<string[]> {
  const files = (await readdir(root, { recursive: true })).map((file) => file.replaceAll('\\', '/'))
  const isCode =
    /^(packages\/[a-z-]+\/(src|bin)|test|bench|examples|packing)\/.*\.(ts|js|html|css)$|^docs\/[a-z-]+\.md$|^[A-Z]+\.md$/i
  return files.filter((file) => isCode.test(file) && !/(^|\/)(node_modules|dist)\/|\.generated-/.test(file))
}

interface Line {
  readonly at: string
  readonly text: string
}

async function linesOf(files: readonly string[]): Promise<Line[]> {
  const texts = await Promise.all(files.map((file) => readFile(root + file, 'utf8')))
  return texts.flatMap((text, i) => text.split('\n').map((line, n) => ({ at: `${files[i]}:${n + 1}`, text: line })))
}

/** The words of a line, in lower case; `heldRows` and `held-rows` are two words each. */
function wordsOf(text: string): string[] {
  return (text.match(/[A-Z]?[a-z]+|[A-Z]+/g) ?? []).map((word) => word.toLowerCase())
}

function bannedIn(line: string): string | undefined {
  const text = line.replaceAll(RELEASED, '')
  const word = wordsOf(text).find((each) => Object.hasOwn(BANNED_WORDS, each))
  if (word !== undefined) return `'${word}': say ${BANNED_WORDS[word]}`
  return Object.entries(BANNED_PATTERNS).find(([, pattern]) => pattern.test(text))?.[0]
}

const files = await codeFiles()
const lines = await linesOf(files)
const checked = lines.filter(({ at }) => !Object.hasOwn(EXEMPT, at.replace(/:\d+$/, '')))

describe('the code uses one word for one thing', () => {
  it('a banned word is found in names, comments and texts, and not inside of other words', () => {
    const bad = ['const heldRows = 1', '#told', '// Nobody waits.', 'isFenced()', 'void dots', 'interface PeerHost {']
    expect(bad.filter((text) => bannedIn(text) === undefined)).toEqual([])
    const good = ['offences.latest()', 'withheld', 'void call()', 'const peerParts = []', 'defenced', 'toldo']
    expect(good.filter((text) => bannedIn(text) !== undefined)).toEqual([])
  })

  it('no line has a banned word', () => {
    expect(checked.length).toBeGreaterThan(50_000)
    const found = checked.flatMap(({ at, text }) => {
      const banned = bannedIn(text)
      return banned === undefined ? [] : [`${at}: ${banned}`]
    })
    expect(found).toEqual([])
  })

  it('no file is named with one', () => {
    expect(files.filter((file) => bannedIn(file) !== undefined)).toEqual([])
  })

  it('every exempt file exists, and has a banned word', () => {
    for (const file of Object.keys(EXEMPT)) {
      const own = lines.filter(({ at }) => at.startsWith(`${file}:`))
      expect(
        own.some(({ text }) => bannedIn(text) !== undefined),
        file,
      ).toBe(true)
    }
  })

  it('a class name is declared once, except for the small classes of test files', () => {
    const places = new Map<string, string[]>()
    for (const { at, text } of lines) {
      const name = /^\s*(?:export )?(?:default )?(?:abstract )?class (\w+)/.exec(text)?.[1]
      if (name === undefined || /\.test\.ts:\d+$/.test(at)) continue
      places.set(name, [...(places.get(name) ?? []), at])
    }
    expect(places.size).toBeGreaterThan(150)
    expect([...places].filter(([, declared]) => declared.length > 1)).toEqual([])
  })
})
