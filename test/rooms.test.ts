import { readFile, readdir } from 'node:fs/promises'
import { dirname, join, posix, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

/**
 * A room is a folder below `packages/<package>/src`; a file beside the rooms counts as a room of its own. Lint rejects
 * files that import each other in a cycle; this test rejects such rooms. Type imports count too: they also show which
 * part knows which.
 */

const FILES_MIN = 2
const FILES_MAX = 13

const root = fileURLToPath(new URL('..', import.meta.url))
const packages = (await readdir(join(root, 'packages'))).toSorted()

type Graph = ReadonlyMap<string, ReadonlySet<string>>

/** Source files of a package, as paths from its `src`, tests left out. */
async function sourcesOf(name: string): Promise<string[]> {
  const found = await readdir(join(root, 'packages', name, 'src'), { recursive: true })
  return found.map((file) => file.replaceAll(sep, '/')).filter((file) => /(?<!\.test)\.ts$/.test(file))
}

function roomOf(file: string): string {
  const folder = dirname(file)
  return folder === '.' ? file : folder
}

/** Paths from `src` of the files that `file` imports from its own package. */
function importsIn(file: string, text: string): string[] {
  const found = text.matchAll(/\b(?:from|import)[\s(]*'(\.\.?\/[^']+)'/g)
  return Array.from(found, ([, target]) => posix.join(dirname(file), target!))
}

async function roomsOf(name: string): Promise<Graph> {
  const graph = new Map<string, Set<string>>()
  for (const file of await sourcesOf(name)) {
    const room = roomOf(file)
    const imported = graph.get(room) ?? new Set()
    graph.set(room, imported)
    const text = await readFile(join(root, 'packages', name, 'src', file), 'utf8')
    for (const target of importsIn(file, text)) if (roomOf(target) !== room) imported.add(roomOf(target))
  }
  return graph
}

/**
 * The cycles of a graph and their importers: what is left when nodes that import nothing that is left are removed again
 * and again.
 */
function entangled(graph: Graph): string[] {
  const left = new Set(graph.keys())
  for (let before = -1; before !== left.size;) {
    before = left.size
    for (const room of left) if (![...graph.get(room)!].some((target) => left.has(target))) left.delete(room)
  }
  return [...left].toSorted()
}

describe('rooms import one way', () => {
  it('a cycle is found, with all its importers and imports', () => {
    const graph = (edges: Record<string, string[]>): Graph =>
      new Map(Object.entries(edges).map(([room, targets]) => [room, new Set(targets)]))
    expect(entangled(graph({ low: [], middle: ['low'], high: ['middle', 'low'] }))).toEqual([])
    expect(entangled(graph({ low: [], a: ['b', 'low'], b: ['c'], c: ['a'] }))).toEqual(['a', 'b', 'c'])
  })

  it('imports of types, re-exports and imports at run time count', () => {
    const text = `import type { A } from '../a/a.ts'\nexport { B } from './b.ts'\nawait import('../c.ts')\nimport './d.ts'`
    expect(importsIn('here/file.ts', text)).toEqual(['a/a.ts', 'here/b.ts', 'c.ts', 'here/d.ts'])
  })

  it.each(packages)('in %s', async (name) => {
    expect(entangled(await roomsOf(name))).toEqual([])
  })
})

describe('rooms are small, and known', () => {
  it.each(packages)('every room of %s has 2 to 13 source files', async (name) => {
    const counts = new Map<string, number>()
    for (const file of await sourcesOf(name)) {
      if (file.includes('/')) counts.set(roomOf(file), (counts.get(roomOf(file)) ?? 0) + 1)
    }
    expect([...counts].filter(([, count]) => count < FILES_MIN || count > FILES_MAX)).toEqual([])
  })

  it('ARCHITECTURE.md lists every room, and no other', async () => {
    const page = await readFile(join(root, 'ARCHITECTURE.md'), 'utf8')
    const listed = Array.from(page.matchAll(/^\| `([a-z-]+(?:\/[a-z-]+)+)` \|/gm), ([, room]) => room!)
    const rooms = await Promise.all(
      packages.map(async (name) => {
        const inFolders = (await sourcesOf(name)).filter((file) => file.includes('/'))
        return inFolders.map((file) => `${name}/${roomOf(file)}`)
      }),
    )
    expect(listed.filter((room) => !room.startsWith('packages/')).toSorted()).toEqual(
      [...new Set(rooms.flat())].toSorted(),
    )
  })

  it('core lists its rooms from the bottom up', async () => {
    const page = await readFile(join(root, 'ARCHITECTURE.md'), 'utf8')
    const listed = Array.from(page.matchAll(/^\| `core\/([a-z-]+)` \|/gm), ([, room]) => room!)
    const graph = await roomsOf('core')
    const upwards = listed.flatMap((room, place) =>
      [...graph.get(room)!].filter((target) => listed.indexOf(target) > place).map((target) => `${room} > ${target}`),
    )
    expect(upwards).toEqual([])
  })
})
