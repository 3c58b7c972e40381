import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
/** What users import. */
const ENTRIES = [
  'packages/grid/src/index.ts',
  'packages/grid/src/yjs.ts',
  'packages/grid/src/backup.ts',
  'packages/grid/src/relay.ts',
  'packages/grid/src/addresses.ts',
  'packages/react/src/index.ts',
  'packages/tanstack-db/src/index.ts',
  'packages/testing/src/index.ts',
]
/** Members that every type of their kind has, and the one that tells the types of a union apart. */
const KNOWN = /^(__@|prototype$|constructor$|toString$|type$)/

const { config } = ts.readConfigFile(`${ROOT}tsconfig.json`, (path) => ts.sys.readFile(path)) as {
  config: { compilerOptions: Record<string, unknown> }
}
const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, ROOT)
const program = ts.createProgram(
  ENTRIES.map((entry) => ROOT + entry),
  options,
)
const checker = program.getTypeChecker()

/** What users import from `entry`, with the declarations that other entries re-export. */
function exportsOf(entry: string): ts.Symbol[] {
  const module = checker.getSymbolAtLocation(program.getSourceFile(ROOT + entry)!)!
  return checker
    .getExportsOfModule(module)
    .map((symbol) => (symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol))
}

function isOurs(symbol: ts.Symbol): boolean {
  const files = (symbol.declarations ?? []).map((declaration) => declaration.getSourceFile().fileName)
  return files.length > 0 && files.every((file) => /\/packages\/[a-z-]+\/src\//.test(file))
}

function isInternal(symbol: ts.Symbol): boolean {
  const isHidden = (declaration: ts.Declaration): boolean => {
    const hidden = ts.ModifierFlags.Private | ts.ModifierFlags.Protected
    const { name } = declaration as ts.NamedDeclaration
    return (
      (ts.getCombinedModifierFlags(declaration) & hidden) !== 0 || (name !== undefined && ts.isPrivateIdentifier(name))
    )
  }
  return (
    symbol.getJsDocTags().some(({ name }) => name === 'internal') ||
    (symbol.declarations ?? []).some((d) => isHidden(d))
  )
}

/** True if there is a comment here or on the member that this one implements or overrides. */
function isDocumented(symbol: ts.Symbol): boolean {
  return symbol.getDocumentationComment(checker).length > 0
}

/** The members of a class or an interface that we declare ourselves. A union is explained as a whole. */
function membersOf(symbol: ts.Symbol): ts.Symbol[] {
  if (!(symbol.flags & (ts.SymbolFlags.Class | ts.SymbolFlags.Interface | ts.SymbolFlags.TypeAlias))) return []
  const type = checker.getDeclaredTypeOfSymbol(symbol)
  if (type.isUnion()) return []
  return type.getProperties().filter((member) => !KNOWN.test(member.name) && isOurs(member) && !isInternal(member))
}

function undocumentedIn(entry: string): string[] {
  return exportsOf(entry).flatMap((symbol) => {
    if (!isOurs(symbol) || isInternal(symbol)) return []
    const members = membersOf(symbol).filter((member) => !isDocumented(member))
    const missing = members.map((member) => `${symbol.name}.${member.name}`)
    return isDocumented(symbol) ? missing : [symbol.name, ...missing]
  })
}

describe('the public API is documented', () => {
  it.each(ENTRIES)('%s', (entry) => {
    expect(exportsOf(entry).length).toBeGreaterThan(0)
    expect([...new Set(undocumentedIn(entry))]).toEqual([])
  })
})

/** A row of a table that compares methods of replicated and partitioned collections. */
interface ComparedRow {
  readonly names: readonly string[]
  readonly isReplicated: boolean
  readonly isPartitioned: boolean
}

/** The rows that begin with names in backticks, of each table of the page. A cell that begins with 'none' says that there is none. */
async function comparedMethods(page: string): Promise<ComparedRow[][]> {
  const text = await readFile(`${ROOT}${page}`, 'utf8')
  const tables = [...text.matchAll(/\| method \| replicated \| partitioned \|\n.*\n((?:\|.*\n)+)/g)]
  return tables.map(([, body]) =>
    body!
      .trim()
      .split('\n')
      .map((line) => line.slice(1).split(' | '))
      .filter(([method]) => method!.trim().startsWith('`'))
      .map(([method, replicated, partitioned]) => ({
        names: [...method!.matchAll(/`([a-zA-Z]+)[^`]*`/g)].map((match) => match[1]!),
        isReplicated: !replicated!.trim().startsWith('none'),
        isPartitioned: !partitioned!.trim().startsWith('none'),
      })),
  )
}

/** Names of the members of classes that users have. */
function memberNames(classes: readonly string[]): Set<string> {
  const all = exportsOf('packages/grid/src/index.ts')
  const found = classes.map((name) => all.find((symbol) => symbol.name === name)!)
  return new Set(found.flatMap((symbol) => membersOf(symbol).map(({ name }) => name)))
}

describe('the tables of methods in docs/partitioning.md', () => {
  /** What the collections are, and no method. */
  const FACTS = new Set(['name', 'partitions', 'owners'])
  const KINDS = [
    [['GridMap'], ['PartitionedMap']],
    [
      ['GridCounter', 'GridCounters', 'GridSet', 'GridSets'],
      ['PartitionedCounter', 'PartitionedCounters', 'PartitionedSet', 'PartitionedSets'],
    ],
  ] as const

  it('name every public method, and say rightly which there are', async () => {
    const tables = await comparedMethods('docs/partitioning.md')
    expect(tables).toHaveLength(KINDS.length)
    for (const [place, [replicatedNames, partitionedNames]] of KINDS.entries()) {
      const [replicated, partitioned] = [memberNames(replicatedNames), memberNames(partitionedNames)]
      expect(replicated.size).toBeGreaterThan(8)
      expect(partitioned.size).toBeGreaterThan(8)
      const rows = tables[place]!
      const named = rows.flatMap(({ names }) => names)
      const missing = [...replicated, ...partitioned].filter((name) => !named.includes(name) && !FACTS.has(name))
      expect([...new Set(missing)], 'methods that the table does not name').toEqual([])
      for (const { names, isPartitioned, isReplicated } of rows) {
        const wrong = names.filter(
          (name) => replicated.has(name) !== isReplicated || partitioned.has(name) !== isPartitioned,
        )
        expect(wrong, `${names.join()}: replicated ${isReplicated}, partitioned ${isPartitioned}`).toEqual([])
      }
    }
  })

  it('name each public method of a replicated class that its partitioned one lacks as none', async () => {
    // The kinds of counters and sets share a table: a method that one of them lacks is in the sentences below it.
    const pairs = [
      ['GridCounter', 'PartitionedCounter', []],
      ['GridCounters', 'PartitionedCounters', []],
      ['GridSet', 'PartitionedSet', ['holds']],
      ['GridSets', 'PartitionedSets', []],
    ] as const
    const text = await readFile(`${ROOT}docs/partitioning.md`, 'utf8')
    expect(text).toContain('`holds` of a single set looks at this peer only')
    const [, rows] = await comparedMethods('docs/partitioning.md')
    const none = new Set(rows!.filter(({ isPartitioned }) => !isPartitioned).flatMap(({ names }) => names))
    for (const [replicated, partitioned, besides] of pairs) {
      const there = memberNames([partitioned])
      const lacking = [...memberNames([replicated])].filter((name) => !there.has(name) && !none.has(name))
      expect(lacking, `what ${partitioned} lacks`).toEqual(besides)
    }
  })
})
